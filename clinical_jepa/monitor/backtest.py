"""The live path over history: the same tick on a stepped clock, with a ledger in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from clinical_jepa.monitor.tick import tick
from clinical_jepa.monitor.ward import Ward
from clinical_jepa.records.alerts import Acknowledgement
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import MINUTE
from clinical_jepa.records.ward import TickReport
from clinical_jepa.store.ledger import Ledger


@dataclass(frozen=True, kw_only=True)
class BacktestReport:
    """Every tick's counts, and the ledger that holds what was said and done."""

    ticks: tuple[TickReport, ...]
    ledger: Ledger

    @property
    def forecasts(self) -> int:
        """How many were given."""
        return sum(one.forecasts for one in self.ticks)

    @property
    def abstentions(self) -> int:
        """How often nothing was said."""
        return sum(one.abstentions for one in self.ticks)

    @property
    def replayed(self) -> int:
        """How often a patient's past had changed."""
        return sum(one.replayed for one in self.ticks)


def steps(start: int, end: int, cadence: int) -> range:
    """The instants of the ticks: ``start``, then every ``cadence``, up to ``end``; ``BadRequest`` off whole minutes."""
    if cadence <= 0 or start % MINUTE or cadence % MINUTE:
        raise BadRequest("ticks fall on whole minutes: start and cadence must be whole minutes, cadence above 0")
    return range(start, end + 1, cadence)


def backtest(
    ward: Ward,
    start: int,
    end: int,
    cadence: int,
    *,
    acknowledgements: Iterable[Acknowledgement] = (),
    progress: Callable[[int, int], None] | None = None,
) -> BacktestReport:
    """Ticks from ``start`` to ``end``; ``ward.ledger`` is left alone.

    ``acknowledgements`` are played back: each is an input of the first tick at or after its instant.
    """
    ledger = Ledger.open(":memory:")
    copy = replace(ward, ledger=ledger)
    waiting = sorted(acknowledgements, key=lambda answer: (answer.at, answer.alert_id, answer.by))
    reports: list[TickReport] = []
    instants = steps(start, end, cadence)
    for now in instants:
        while waiting and waiting[0].at <= now:
            ledger.acknowledge(waiting.pop(0))
        reports.append(tick(copy, now))
        if progress is not None:
            progress(len(reports), len(instants))
    return BacktestReport(ticks=tuple(reports), ledger=ledger)
