"""Alerts, their transitions, and the messages that carry them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clinical_jepa.records.forecasts import Reason


class AlertState(StrEnum):
    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"  # the risk went down, or the event came
    EXPIRED = "expired"  # nobody answered in time


OPEN = (AlertState.RAISED, AlertState.ACKNOWLEDGED)


class Cause(StrEnum):
    """Why a transition happened; a pair (state, cause) not in ``alerts.life_cycle.TABLE`` is an error."""

    RISK_ABOVE_THRESHOLD = "risk-above-threshold"
    ACKNOWLEDGED_BY_PERSON = "acknowledged-by-person"
    RISK_BELOW_CLEARING = "risk-below-clearing"
    EVENT_BEGAN = "event-began"
    LEFT_THE_WARD = "left-the-ward"
    NOT_ANSWERED = "not-answered"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One episode of raised risk of one encounter. ``alert_id`` is a hash of subject, task and first tick."""

    alert_id: str
    subject_id: int
    encounter_id: str | None
    task: str
    state: AlertState
    raised_at: int
    changed_at: int
    assessed_at: int  # of the forecast that risk and reasons are from; ages of reasons are as of then
    risk: float
    peak_risk: float
    below_since: int | None  # since when the risk is below the clearing level
    due_at: int  # when an answer is due
    reasons: tuple[Reason, ...]
    acknowledged_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One change of one alert; ``before`` is null for the first."""

    alert_id: str
    subject_id: int
    at: int
    before: AlertState | None
    after: AlertState
    cause: Cause
    actor: str | None
    risk: float | None


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """A person's answer, an input of the next tick."""

    alert_id: str
    by: str
    at: int


@dataclass(frozen=True, kw_only=True)
class Message:
    """One transition for one recipient; ``key`` (alert, transition, recipient) makes a receiver idempotent."""

    key: str
    recipient: str
    alert_id: str
    created_at: int
    valid_until: int
    payload: bytes  # JSON
