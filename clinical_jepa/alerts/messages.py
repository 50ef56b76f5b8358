"""One message for each transition and recipient: what a receiver needs to act, and nothing that names the patient."""

from __future__ import annotations

import json

from clinical_jepa.alerts.life_cycle import Change
from clinical_jepa.records.alerts import Alert, AlertState, Message, Transition
from clinical_jepa.records.forecasts import Policy, Reason
from clinical_jepa.records.instant import iso
from clinical_jepa.records.ward import Stay
from clinical_jepa.vocabulary.codes import by_code
from clinical_jepa.vocabulary.identity import content_id


def messages(change: Change, *, stay: Stay | None, policy: Policy, now: int, simulated: bool) -> tuple[Message, ...]:
    """A message to each of the policy's recipients.

    A raised alert may be carried until its answer is due: afterwards it has expired, and says so itself. What follows
    it may be carried for as long.
    """
    alert, transition = change.alert, change.transition
    valid_until = alert.due_at if transition.after is AlertState.RAISED else now + policy.expire_after
    body = _body(alert, transition, stay, policy) | {"valid_until": iso(valid_until), "simulated": simulated}
    return tuple(_message(body, transition, recipient, now, valid_until) for recipient in policy.recipients)


def message_key(transition: Transition, recipient: str) -> str:
    """Equal for equal (alert, transition, recipient): an alert enters each state at most once."""
    return content_id("message", transition.alert_id, transition.before, transition.after, recipient)


def _message(body: dict[str, object], transition: Transition, recipient: str, now: int, valid_until: int) -> Message:
    key = message_key(transition, recipient)
    payload = json.dumps({"key": key, "recipient": recipient, **body}, sort_keys=True, ensure_ascii=False)
    return Message(
        key=key,
        recipient=recipient,
        alert_id=transition.alert_id,
        created_at=now,
        valid_until=valid_until,
        payload=payload.encode(),
    )


def _body(alert: Alert, transition: Transition, stay: Stay | None, policy: Policy) -> dict[str, object]:
    return {
        "alert_id": alert.alert_id,
        "subject_id": alert.subject_id,
        "bed": stay.bed if stay else None,
        "task": alert.task,
        "title": policy.task.title,
        "before": transition.before,
        "state": transition.after,
        "cause": transition.cause,
        "actor": transition.actor,
        "at": iso(transition.at),
        "raised_at": iso(alert.raised_at),
        "due_at": iso(alert.due_at),
        "assessed_at": iso(alert.assessed_at),  # of risk and reasons; an answer comes between two forecasts
        "risk": alert.risk,
        "peak_risk": alert.peak_risk,
        "reasons": [_reason(reason) for reason in alert.reasons],
        "policy_id": policy.policy_id,
    }


def _reason(reason: Reason) -> dict[str, object]:
    known = by_code().get(reason.code)
    age_s = None if reason.age is None else reason.age // 1_000_000
    return {
        "code": reason.code,
        "label": known.label if known else reason.code,
        "value": _plain(reason.value),
        "unit": known.unit if known else None,
        "age_s": age_s,
        "weight": _plain(reason.weight),
    }


def _plain(number: float | None) -> float | None:
    """A number that JSON can say: NaN and infinities are null."""
    return None if number is None or number - number != 0 else number
