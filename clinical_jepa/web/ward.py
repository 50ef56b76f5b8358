"""The list of beds: who is here, at what risk, how old everything is. Reads only; all ages are at the ward's now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from clinical_jepa.forecast.news2 import News2
from clinical_jepa.records.alerts import OPEN, Alert, AlertState
from clinical_jepa.records.forecasts import Abstention, Forecast, Why
from clinical_jepa.records.instant import SECOND
from clinical_jepa.records.views import Arrivals
from clinical_jepa.records.ward import Stay
from clinical_jepa.timeline.stays import STAY_CODES, heard_after, stays
from clinical_jepa.web.config import WebConfig
from clinical_jepa.web.readings import Newest, Reading, early_warning, newest, vitals_time
from clinical_jepa.web.recent import Recent
from clinical_jepa.web.state import WardState

Outcome = Forecast | Abstention


class Standing(IntEnum):
    """What can be said of a bed now, in the order of the list."""

    FORECAST = 0
    IN_EVENT = 1
    ABSTAINED = 2
    EXPIRED = 3
    NOTHING = 4


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Who acknowledged an alert, and when."""

    by: str
    at: int


@dataclass(frozen=True, kw_only=True)
class Bed:
    """One row of the list. ``trend`` holds (instant, risk or None where nothing was said), oldest first."""

    stay: Stay
    identifier: str
    standing: Standing
    outcome: Outcome | None
    trend: tuple[tuple[int, float | None], ...]
    news2: News2
    readings: Mapping[str, Reading]
    vitals_time: int | None
    alert: Alert | None
    answer: Answer | None
    closed: Alert | None  # the newest of the last hours, where none is open

    @property
    def risk(self) -> float | None:
        """The newest risk, current or not."""
        return self.outcome.risk if isinstance(self.outcome, Forecast) else None

    @property
    def unanswered(self) -> bool:
        """An alert waits for somebody."""
        return self.alert is not None and self.answer is None


@dataclass(frozen=True, kw_only=True)
class Page:
    """A part of the list of beds. ``number`` counts from 1 to ``of``; ``first`` is the place of its first bed, from 1."""

    number: int
    of: int
    first: int
    beds: tuple[Bed, ...]

    def standing(self, standing: Standing) -> tuple[Bed, ...]:
        """The page's beds of one part of the list."""
        return tuple(bed for bed in self.beds if bed.standing is standing)


@dataclass(frozen=True, kw_only=True)
class Ward:
    """The page's content as of ``now`` (ward time)."""

    now: int
    beds: tuple[Bed, ...]

    def count(self, standing: Standing) -> int:
        """How many beds one part of the list has, on all pages."""
        return sum(bed.standing is standing for bed in self.beds)

    def page(self, number: int, size: int) -> Page:
        """The beds of one page; the nearest one where there is none of this number."""
        of = max(1, -(-len(self.beds) // size))
        number = min(max(1, number), of)
        first = (number - 1) * size
        return Page(number=number, of=of, first=first + 1, beds=self.beds[first : first + size])

    @property
    def waiting(self) -> tuple[Bed, ...]:
        """Beds whose alert nobody has answered, the most urgent first."""
        return tuple(
            sorted((bed for bed in self.beds if bed.unanswered), key=lambda bed: bed.alert.due_at if bed.alert else 0)
        )


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What was read once for all beds."""

    now: int
    recent: Newest
    outcomes: Mapping[int, Sequence[Outcome]]
    alerts: Mapping[int, Alert]
    closed: Mapping[int, Alert]
    answers: Mapping[str, Answer]


def read_ward(state: WardState, config: WebConfig, recent: Recent) -> Ward:
    """Everybody known to be here now, by risk; a patient without forecast is still listed."""
    now = state.clock.now()
    visible = state.store.arrivals(now - config.vitals_s * SECOND, now)
    alerts = state.ledger.alerts(open_only=True)
    known = _Known(
        now=now,
        recent=newest(visible.events),
        outcomes=_by_subject(recent.since(now - max(config.trend_s * SECOND, 2 * state.task.validity))),
        alerts={alert.subject_id: alert for alert in alerts},
        closed=_closed(state, config, now),
        answers=answers(state, alerts),
    )
    beds = [_bed(state, config, known, stay) for stay in _present(state, now).values()]
    return Ward(now=now, beds=tuple(sorted(beds, key=_order)))


def read_bed(state: WardState, config: WebConfig, subject_id: int, visible: Arrivals) -> tuple[Bed, bool]:
    """One subject's row from its own history, and whether the subject is here now."""
    now = visible.until
    alerts = [alert for alert in state.ledger.alerts(open_only=True) if alert.subject_id == subject_id]
    outcomes = state.ledger.outcomes(since=now - max(config.trend_s, config.chart_s) * SECOND, subject_id=subject_id)
    known = _Known(
        now=now,
        recent=newest(visible.events),
        outcomes=_by_subject(outcomes),
        alerts={alert.subject_id: alert for alert in alerts},
        closed=_closed(state, config, now),
        answers=answers(state, alerts),
    )
    stay = _present(state, now).get(subject_id)
    gone = Stay(subject_id=subject_id, encounter_id=None, bed=None, admitted=now)
    return _bed(state, config, known, stay or gone), stay is not None


def _bed(state: WardState, config: WebConfig, known: _Known, stay: Stay) -> Bed:
    now, subject = known.now, stay.subject_id
    outcomes = known.outcomes.get(subject, ())
    oldest = now - config.vitals_s * SECOND
    seen = {code: reading for code, reading in known.recent.get(subject, {}).items() if reading.time > oldest}
    alert = known.alerts.get(subject)
    return Bed(
        stay=stay,
        identifier=state.store.identifier(subject),
        standing=standing(outcomes[-1] if outcomes else None, now),
        outcome=outcomes[-1] if outcomes else None,
        trend=trend(outcomes),
        news2=early_warning(seen, not_before=now - config.news2_s * SECOND),
        readings=seen,
        vitals_time=vitals_time(seen),
        alert=alert,
        answer=known.answers.get(alert.alert_id) if alert else None,
        closed=None if alert else known.closed.get(subject),
    )


def _closed(state: WardState, config: WebConfig, now: int) -> dict[int, Alert]:
    """By subject: the newest alert raised in the last hours that is not open any more."""
    recent = state.ledger.alerts(since=now - config.trend_s * SECOND)
    return {alert.subject_id: alert for alert in recent if alert.state not in OPEN}


def _present(state: WardState, now: int) -> dict[int, Stay]:
    recent = state.store.extents(now, heard_after(now))
    return stays(state.store.with_codes(STAY_CODES, now), now, extents=recent)


def standing(outcome: Outcome | None, now: int) -> Standing:
    """What an outcome is worth at ``now``: past its validity it is expired, whatever it said."""
    if outcome is None:
        return Standing.NOTHING
    if now > outcome.valid_until:
        return Standing.EXPIRED
    if isinstance(outcome, Forecast):
        return Standing.FORECAST
    return Standing.IN_EVENT if outcome.why is Why.IN_EVENT else Standing.ABSTAINED


def trend(outcomes: Sequence[Outcome]) -> tuple[tuple[int, float | None], ...]:
    """(instant, risk) of each outcome, oldest first; None where the model abstained."""
    return tuple((outcome.at, outcome.risk if isinstance(outcome, Forecast) else None) for outcome in outcomes)


def answers(state: WardState, alerts: Sequence[Alert]) -> dict[str, Answer]:
    """Who answered which of the alerts first, whether or not the loop has taken it in yet."""
    known = {alert.alert_id for alert in alerts}
    given: dict[str, Answer] = {}
    for ack, _ in state.ledger.answered():
        if ack.alert_id in known:
            given.setdefault(ack.alert_id, Answer(by=ack.by, at=ack.at))
    for alert in alerts:  # the alert's own account stands over it
        if alert.acknowledged_by is not None:
            changes = state.ledger.transitions(alert.alert_id)
            at = next((change.at for change in changes if change.after is AlertState.ACKNOWLEDGED), alert.changed_at)
            given[alert.alert_id] = Answer(by=alert.acknowledged_by, at=at)
    return given


def _by_subject(outcomes: Sequence[Outcome]) -> dict[int, list[Outcome]]:
    grouped: dict[int, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.at):
        grouped.setdefault(outcome.subject_id, []).append(outcome)
    return grouped


def _order(bed: Bed) -> tuple[int, float, str, int]:
    risk = bed.risk if bed.risk is not None else -1.0
    return bed.standing, -risk, bed.stay.bed or "~", bed.stay.subject_id
