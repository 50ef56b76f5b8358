"""Small ticks for tests of the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from clinical_jepa.records.alerts import Alert, AlertState, Cause, Message, Transition
from clinical_jepa.records.forecasts import Abstention, Band, Forecast, Memory, Reason, Why
from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.records.ward import Advance, Patient, TickCommit

T0 = 1_767_600_000_000_000
REASON = Reason(code="LOINC//8867-4", value=101.5, age=60_000_000, weight=0.25)


def forecast(subject: int, *, at: int = T0, risk: float = 0.4) -> Forecast:
    return Forecast(
        subject_id=subject,
        at=at,
        task="deterioration-8h",
        risk=risk,
        risk_low=risk / 2,
        risk_high=0.1 + 0.2 + risk,
        bands=(Band(code="LOINC//8478-0", at=at + HOUR, low=60.0, median=70.0, high=80.0),),
        valid_until=at + 30 * MINUTE,
        reasons=(REASON,),
        model_id="model",
        policy_id="policy",
    )


def abstention(subject: int, *, at: int = T0) -> Abstention:
    return Abstention(
        subject_id=subject,
        at=at,
        task="deterioration-8h",
        why=Why.NO_VITALS,
        detail="none yet",
        valid_until=at + 30 * MINUTE,
        model_id="model",
        policy_id="policy",
    )


def ended(subject: int, at: int) -> Abstention:
    return abstention(subject, at=at)


def alert() -> Alert:
    return Alert(
        alert_id="alert",
        subject_id=1,
        encounter_id="e",
        task="deterioration-8h",
        state=AlertState.RAISED,
        raised_at=T0,
        changed_at=T0,
        assessed_at=T0,
        risk=0.4,
        peak_risk=0.5,
        below_since=None,
        due_at=T0 + HOUR,
        reasons=(REASON,),
    )


def transition(
    at: int = T0,
    before: AlertState | None = None,
    after: AlertState = AlertState.RAISED,
    cause: Cause = Cause.RISK_ABOVE_THRESHOLD,
    actor: str | None = None,
    risk: float | None = 0.4,
) -> Transition:
    return Transition(
        alert_id="alert", subject_id=1, at=at, before=before, after=after, cause=cause, actor=actor, risk=risk
    )


def memory(subject: int, cursor: int, blob: bytes = b"\x00state") -> Memory:
    return Memory(subject_id=subject, model_id="model", cursor=cursor, blob=blob)


def message(key: str, at: int = T0) -> Message:
    return Message(
        key=key, recipient="ward", alert_id="alert", created_at=at, valid_until=at + HOUR, payload=b'{"a":1}'
    )


def tick(
    now: int,
    *,
    since: int = -1,
    outcomes: Sequence[Forecast | Abstention] = (),
    alert: Alert | None = None,
    transitions: Sequence[Transition] = (),
    messages: Sequence[str] = (),
) -> TickCommit:
    """A commit whose alert, transitions and messages belong to the first patient."""
    advances = [
        Advance(
            patient=Patient(
                subject_id=outcome.subject_id,
                encounter_id="e",
                cursor=now,
                alert=alert if number == 0 else None,
                last_alert_end=None,
                eligibility=b"{}",
            ),
            outcome=outcome,
            transitions=tuple(transitions) if number == 0 else (),
            messages=tuple(message(key, now) for key in messages) if number == 0 else (),
        )
        for number, outcome in enumerate(outcomes or [forecast(1, at=now)])
    ]
    return TickCommit(
        now=now,
        since=since,
        watermark=1,
        memories=tuple(memory(one.patient.subject_id, now) for one in advances),
        advances=tuple(advances),
        arrivals=3,
        late_rows=0,
        replayed=0,
    )
