"""What one instant does to one patient: calibrate, abstain, alert. Pure: no clock, no randomness, no I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from clinical_jepa.alerts.life_cycle import is_open, progress
from clinical_jepa.alerts.messages import messages
from clinical_jepa.forecast import abstention, calibrate
from clinical_jepa.forecast.eligibility import from_bytes
from clinical_jepa.records.alerts import Acknowledgement
from clinical_jepa.records.forecasts import Abstention, Forecast, Policy, Step, Why
from clinical_jepa.records.ward import Advance, Patient, Stay


def advance(
    patient: Patient,
    step: Step,
    now: int,
    policy: Policy,
    *,
    stay: Stay | None,
    acknowledgements: Sequence[Acknowledgement] = (),
    simulated: bool = False,
) -> Advance:
    """The patient afterwards, what is said (or why nothing is), and what changed of the alert, with its messages.

    ``patient.eligibility`` holds what was known at ``now``; ``stay`` is None for one who is not on the ward.
    """
    known = replace(patient, encounter_id=stay.encounter_id if stay else patient.encounter_id, cursor=now)
    said = outcome(known, step, now, policy, stay=stay)
    alert, changes = progress(known, said, policy, stay=stay, acknowledgements=acknowledgements)
    sent = [messages(change, stay=stay, policy=policy, now=now, simulated=simulated) for change in changes]
    ended = alert.changed_at if alert is not None and not is_open(alert) else known.last_alert_end
    return Advance(
        patient=replace(known, alert=alert if alert is not None and is_open(alert) else None, last_alert_end=ended),
        outcome=said,
        transitions=tuple(change.transition for change in changes),
        messages=tuple(message for group in sent for message in group),
    )


def outcome(patient: Patient, step: Step, now: int, policy: Policy, *, stay: Stay | None) -> Forecast | Abstention:
    """A calibrated forecast, or the first reason to say nothing."""
    task = policy.task
    # a score that is no number says that the model does not know, whatever the distance is
    novelty = step.novelty if math.isfinite(step.score) else math.nan
    silence = (
        (Why.NOT_PRESENT, "not on the ward")
        if stay is None
        else abstention.why(from_bytes(patient.eligibility), now=now, policy=policy, novelty=novelty)
    )
    valid_until = now + task.validity
    if silence is not None:
        return Abstention(
            subject_id=patient.subject_id,
            at=now,
            task=task.name,
            why=silence[0],
            detail=silence[1],
            valid_until=valid_until,
            model_id=policy.model_id,
            policy_id=policy.policy_id,
        )
    risk, low, high = calibrate.risk(policy, step.score)
    return Forecast(
        subject_id=patient.subject_id,
        at=now,
        task=task.name,
        risk=risk,
        risk_low=low,
        risk_high=high,
        bands=calibrate.bands(policy, step.quantiles, now),
        valid_until=valid_until,
        reasons=step.reasons,
        model_id=policy.model_id,
        policy_id=policy.policy_id,
    )
