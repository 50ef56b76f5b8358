"""One patient, and short ways to say what a tick said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clinical_jepa.alerts.life_cycle import is_open, progress
from clinical_jepa.evaluate.checks.stand_in import policy
from clinical_jepa.records.alerts import Acknowledgement, Transition
from clinical_jepa.records.forecasts import Abstention, Forecast, Reason, Why
from clinical_jepa.records.instant import MINUTE
from clinical_jepa.records.ward import Patient, Stay

T0 = 1_767_600_000_000_000
HERE = Stay(subject_id=7, encounter_id="e1", bed="ICU A / Bed 07", admitted=T0 - 600 * MINUTE)


@dataclass(frozen=True, kw_only=True)
class Told(Patient):
    """A patient with the transitions of the last step."""

    transitions: tuple[Transition, ...] = ()


PATIENT = Told(subject_id=7, encounter_id="e1", cursor=T0, alert=None, last_alert_end=None, eligibility=b"")


def at(minute: float) -> int:
    return T0 + round(minute * MINUTE)


def forecast(minute: float, risk: float) -> Forecast:
    return Forecast(
        subject_id=7,
        at=at(minute),
        task="deterioration-8h",
        risk=risk,
        risk_low=risk,
        risk_high=risk,
        bands=(),
        valid_until=at(minute + 30),
        reasons=(Reason(code="LOINC//8478-0", value=66.0, age=5 * MINUTE, weight=0.7),),
        model_id="m",
        policy_id="p",
    )


def silent(minute: float, why: Why) -> Abstention:
    return Abstention(
        subject_id=7,
        at=at(minute),
        task="deterioration-8h",
        why=why,
        detail="",
        valid_until=at(minute),
        model_id="m",
        policy_id="p",
    )


def said(
    patient: Told, outcome: Forecast | Abstention, answers: Sequence[Acknowledgement] = (), stay: Stay | None = HERE
) -> Told:
    """The patient after one step under the stand-in's policy."""
    alert, changes = progress(patient, outcome, policy(), stay=stay, acknowledgements=answers)
    ended = alert.changed_at if alert and not is_open(alert) else patient.last_alert_end
    left = alert if alert and is_open(alert) else None
    return replace(patient, alert=left, last_alert_end=ended, transitions=tuple(one.transition for one in changes))
