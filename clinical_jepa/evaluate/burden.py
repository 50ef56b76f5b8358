"""What the alerts of a backtest caught, and what they would have cost."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from clinical_jepa.forecast.alert_counting import Burden, Watch
from clinical_jepa.forecast.labels import Onset, onsets_by_subject, record_ends
from clinical_jepa.monitor.backtest import BacktestReport
from clinical_jepa.records.alerts import AlertState
from clinical_jepa.records.forecasts import Forecast, Policy
from clinical_jepa.records.instant import BEGINNING
from clinical_jepa.store.events import Store


def watches(report: BacktestReport, store: Store, policy: Policy) -> dict[int, Watch]:
    """By subject: raised alerts, onsets on the newest revisions, and when a forecast was given."""
    asked: dict[int, list[int]] = defaultdict(list)
    for outcome in report.ledger.outcomes(since=BEGINNING):
        if isinstance(outcome, Forecast):
            asked[outcome.subject_id].append(outcome.at)
    alerts: dict[int, list[int]] = defaultdict(list)
    for transition in report.ledger.transitions():
        if transition.after is AlertState.RAISED:
            alerts[transition.subject_id].append(transition.at)
    onsets: dict[int, tuple[Onset, ...]] = {}
    ends: dict[int, int] = {}
    for reader in store.readers():
        events = reader.arrivals(BEGINNING, report.ticks[-1].now).events
        onsets |= onsets_by_subject(events, policy.task)
        ends |= record_ends(events)
    return {
        subject: Watch(
            alerts=sorted(alerts[subject]),
            onsets=onsets.get(subject, ()),
            asked=sorted(moments),
            last_time=ends[subject],
        )
        for subject, moments in sorted(asked.items())
    }


def summary(counted: Burden) -> dict[str, Any]:
    """The figures that belong together: what was caught, how early, at what price."""
    return {
        "patients": counted.patients,
        "patient_days": counted.patient_days,
        "events": counted.events,
        "caught": counted.caught,
        "recall": counted.recall,
        "alerts": counted.alerts,
        "true_alerts": counted.true_alerts,
        "false_alerts": counted.false_alerts,
        "precision": counted.precision,
        "alerts_per_patient_day": counted.per_patient_day,
        "median_lead_h": counted.median_lead,
        "lead_over_1_h": sum(lead >= 1 for lead in counted.leads),
    }
