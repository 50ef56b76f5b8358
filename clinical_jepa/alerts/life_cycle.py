"""The life of an alert: what may follow what, and why. Pure: time comes in as ``now``.

``TABLE`` is the whole law: a pair that is not in it is an error, and ``diagram`` draws the documentation from it.

Three choices. Only evidence resolves: while nothing is known of the risk the alert stays, and the time below the
clearing level starts anew. An alert belongs to an encounter, not to a bed. Nothing is raised in the instant in which
another one ends, nor for ``policy.silence`` afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from clinical_jepa.records.alerts import OPEN, Acknowledgement, Alert, AlertState, Cause, Transition
from clinical_jepa.records.forecasts import Abstention, Forecast, Policy, Why
from clinical_jepa.records.ward import Patient, Stay
from clinical_jepa.vocabulary.identity import content_id

TABLE: Mapping[tuple[AlertState | None, Cause], AlertState] = {
    (None, Cause.RISK_ABOVE_THRESHOLD): AlertState.RAISED,
    (AlertState.RAISED, Cause.ACKNOWLEDGED_BY_PERSON): AlertState.ACKNOWLEDGED,
    (AlertState.RAISED, Cause.RISK_BELOW_CLEARING): AlertState.RESOLVED,
    (AlertState.RAISED, Cause.EVENT_BEGAN): AlertState.RESOLVED,
    (AlertState.RAISED, Cause.LEFT_THE_WARD): AlertState.RESOLVED,
    (AlertState.RAISED, Cause.NOT_ANSWERED): AlertState.EXPIRED,
    (AlertState.ACKNOWLEDGED, Cause.RISK_BELOW_CLEARING): AlertState.RESOLVED,
    (AlertState.ACKNOWLEDGED, Cause.EVENT_BEGAN): AlertState.RESOLVED,
    (AlertState.ACKNOWLEDGED, Cause.LEFT_THE_WARD): AlertState.RESOLVED,
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One transition and the alert as it is right after it."""

    alert: Alert
    transition: Transition


def follow(state: AlertState | None, cause: Cause) -> AlertState:
    """The state after ``cause``; ``ValueError`` for a pair outside ``TABLE``."""
    if (state, cause) not in TABLE:
        raise ValueError(f"an alert in state {state} cannot change by {cause}; see alerts.life_cycle.TABLE")
    return TABLE[state, cause]


def raised(patient: Patient, forecast: Forecast, policy: Policy) -> Change:
    """A new alert of this patient, first seen at ``forecast.at``."""
    now, risk = forecast.at, forecast.risk
    alert = Alert(
        alert_id=content_id("alert", patient.subject_id, policy.task.name, now),
        subject_id=patient.subject_id,
        encounter_id=patient.encounter_id,
        task=policy.task.name,
        state=follow(None, Cause.RISK_ABOVE_THRESHOLD),
        raised_at=now,
        changed_at=now,
        assessed_at=now,
        risk=risk,
        peak_risk=risk,
        below_since=None,
        due_at=now + policy.expire_after,
        reasons=forecast.reasons,
    )
    return Change(alert=alert, transition=_transition(alert, None, Cause.RISK_ABOVE_THRESHOLD, now, None))


def changed(alert: Alert, cause: Cause, at: int, actor: str | None = None) -> Change:
    """The alert moved by ``cause``; instants of one alert never run backwards."""
    at = max(at, alert.changed_at)
    after = replace(alert, state=follow(alert.state, cause), changed_at=at)
    if cause is Cause.ACKNOWLEDGED_BY_PERSON:
        after = replace(after, acknowledged_by=actor)
    return Change(alert=after, transition=_transition(after, alert.state, cause, at, actor))


def progress(
    patient: Patient,
    outcome: Forecast | Abstention,
    policy: Policy,
    *,
    stay: Stay | None,
    acknowledgements: Sequence[Acknowledgement] = (),
) -> tuple[Alert | None, tuple[Change, ...]]:
    """The patient's alert after ``outcome`` (None where there never was one open), and what changed, in order.

    The alert that comes back may be closed: the caller then keeps when it ended.
    """
    if patient.alert is None:
        return _begin(patient, outcome, policy, stay)
    alert, changes = _answered(patient.alert, acknowledgements, outcome.at)
    alert = _observed(alert, outcome, policy)
    cause = _ending(alert, outcome, policy, stay)
    if cause is None:
        return alert, changes
    ended = changed(alert, cause, outcome.at)
    return ended.alert, (*changes, ended)


def is_open(alert: Alert) -> bool:
    """Whether somebody still has to look after it."""
    return alert.state in OPEN


def diagram() -> str:
    """``TABLE`` as a Mermaid state diagram."""
    rows = [f"    {before or '[*]'} --> {after}: {cause}" for (before, cause), after in TABLE.items()]
    ends = [f"    {state} --> [*]" for state in AlertState if state not in OPEN]
    return "\n".join(["stateDiagram-v2", *rows, *ends])


def _begin(
    patient: Patient, outcome: Forecast | Abstention, policy: Policy, stay: Stay | None
) -> tuple[Alert | None, tuple[Change, ...]]:
    if stay is None or isinstance(outcome, Abstention) or outcome.risk < policy.threshold:
        return None, ()
    if patient.last_alert_end is not None and outcome.at - patient.last_alert_end < policy.silence:
        return None, ()
    change = raised(patient, outcome, policy)
    return change.alert, (change,)


def _answered(alert: Alert, given: Sequence[Acknowledgement], now: int) -> tuple[Alert, tuple[Change, ...]]:
    """The first answer counts; a second click, or one for another alert, changes nothing."""
    own = [ack for ack in given if ack.alert_id == alert.alert_id and ack.at <= now]
    if alert.state is not AlertState.RAISED or not own:
        return alert, ()
    first = min(own, key=lambda ack: (ack.at, ack.by))
    change = changed(alert, Cause.ACKNOWLEDGED_BY_PERSON, first.at, first.by)
    return change.alert, (change,)


def _observed(alert: Alert, outcome: Forecast | Abstention, policy: Policy) -> Alert:
    """The alert with the newest risk, its reasons and their instant; without one nothing is below anything."""
    if isinstance(outcome, Abstention):
        return replace(alert, below_since=None)
    risk, since = outcome.risk, alert.below_since
    below = (outcome.at if since is None else since) if risk < policy.clear_below else None
    return replace(
        alert,
        assessed_at=outcome.at,
        risk=risk,
        peak_risk=max(risk, alert.peak_risk),
        below_since=below,
        reasons=outcome.reasons,
    )


def _ending(alert: Alert, outcome: Forecast | Abstention, policy: Policy, stay: Stay | None) -> Cause | None:
    now = outcome.at
    if stay is None or (alert.encounter_id is not None and stay.encounter_id != alert.encounter_id):
        return Cause.LEFT_THE_WARD
    if isinstance(outcome, Abstention) and outcome.why is Why.IN_EVENT:
        return Cause.EVENT_BEGAN
    if alert.below_since is not None and now - alert.below_since >= policy.clear_after:
        return Cause.RISK_BELOW_CLEARING
    if alert.state is AlertState.RAISED and now >= alert.due_at:
        return Cause.NOT_ANSWERED
    return None


def _transition(alert: Alert, before: AlertState | None, cause: Cause, at: int, actor: str | None) -> Transition:
    return Transition(
        alert_id=alert.alert_id,
        subject_id=alert.subject_id,
        at=at,
        before=before,
        after=alert.state,
        cause=cause,
        actor=actor,
        risk=alert.risk,
    )
