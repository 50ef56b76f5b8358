"""What a tick did, counted."""

from __future__ import annotations

from clinical_jepa.records.forecasts import Forecast
from clinical_jepa.records.ward import TickCommit, TickReport


def report(commit: TickCommit) -> TickReport:
    """The counts of one commit."""
    forecasts = sum(isinstance(one.outcome, Forecast) for one in commit.advances)
    return TickReport(
        now=commit.now,
        already_done=False,
        patients=len(commit.advances),
        arrivals=commit.arrivals,
        forecasts=forecasts,
        abstentions=len(commit.advances) - forecasts,
        transitions=sum(len(one.transitions) for one in commit.advances),
        messages=sum(len(one.messages) for one in commit.advances),
        replayed=commit.replayed,
    )


def nothing_to_do(now: int) -> TickReport:
    """The ledger had reached ``now`` before."""
    return TickReport(
        now=now,
        already_done=True,
        patients=0,
        arrivals=0,
        forecasts=0,
        abstentions=0,
        transitions=0,
        messages=0,
        replayed=0,
    )
