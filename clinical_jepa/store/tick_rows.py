"""The rows that a tick writes, inside the ledger's transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from clinical_jepa.records.alerts import OPEN, Alert, Cause, Message, Transition
from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.records.ward import Patient, TickCommit
from clinical_jepa.store.codecs import alert_from_json, alert_to_json, outcome_to_json
from clinical_jepa.store.crash_points import reached

Run = Callable[..., Any]

# Which snapshots of a memory are kept: how close to its past a subject can be restarted after a correction.
RING = {"short": 15 * MINUTE, "young": 6 * HOUR, "long": 1 * HOUR, "old": 48 * HOUR}


def write_tick(run: Run, tick: TickCommit) -> None:
    """Everything of ``tick``; the caller commits."""
    counts = {name: getattr(tick, name) for name in ("now", "since", "watermark", "arrivals", "late_rows", "replayed")}
    run("put_tick", **counts)
    for subject_id, rewind in tick.rewound.items():
        run("forget_wrong", subject_id=subject_id, rewind=rewind, now=tick.now)
    for memory in tick.memories:
        run("put_memory", **vars(memory))
        _forget_spare(run, memory.subject_id, memory.cursor)
    reached("commit.after-memories")
    for one in tick.advances:
        outcome = one.outcome
        body = outcome_to_json(outcome)
        run("put_outcome", subject_id=outcome.subject_id, at=outcome.at, task=outcome.task, body=body)
        _put_patient(run, one.patient)
        for transition in one.transitions:
            _put_transition(run, transition)
    reached("commit.after-transitions")
    put_messages(run, [message for one in tick.advances for message in one.messages])


def put_messages(run: Run, messages: Sequence[Message]) -> None:
    """The outbox rows: in the same transaction as what they tell of, so that neither is ever without the other."""
    for message in messages:
        run("put_message", **vars(message))


def _forget_spare(run: Run, subject_id: int, newest: int) -> None:
    ring = {"short": RING["short"], "long": RING["long"], "young": newest - RING["young"], "old": newest - RING["old"]}
    run("forget_spare", subject_id=subject_id, newest=newest, **ring)


def _put_patient(run: Run, patient: Patient) -> None:
    if patient.alert is not None:
        _put_alert(run, patient.alert)
    alert = alert_to_json(patient.alert) if patient.alert else None
    fields = {name: getattr(patient, name) for name in ("subject_id", "encounter_id", "cursor", "last_alert_end")}
    run("put_patient", **fields, alert=alert, eligibility=patient.eligibility)


def _put_transition(run: Run, transition: Transition) -> None:
    run("put_transition", **vars(transition))
    kept = run("alert", alert_id=transition.alert_id)
    if kept:  # one that is over is in no patient any more
        _put_alert(run, _after(alert_from_json(kept[0]["body"]), transition))


def _after(alert: Alert, transition: Transition) -> Alert:
    """Risk and reasons stay those of ``assessed_at``; the transition tells its own risk."""
    by_person = transition.cause is Cause.ACKNOWLEDGED_BY_PERSON
    return replace(
        alert,
        state=transition.after,
        changed_at=transition.at,
        peak_risk=max(alert.peak_risk, transition.risk or 0.0),
        acknowledged_by=transition.actor if by_person else alert.acknowledged_by,
    )


def _put_alert(run: Run, alert: Alert) -> None:
    is_open = int(alert.state in OPEN)
    run("put_alert", alert_id=alert.alert_id, raised_at=alert.raised_at, open=is_open, body=alert_to_json(alert))
