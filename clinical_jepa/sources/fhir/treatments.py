"""FHIR MedicationAdministrations: rates at their start, totals at their end."""

from __future__ import annotations

from collections.abc import Iterator

from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.frame import Frame, Ignored, Outcome, Refusal, encounter_of
from clinical_jepa.sources.fhir.mapping import code_of, label_of
from clinical_jepa.sources.fhir.observations import number
from clinical_jepa.sources.rows import Fact

_STATUS = {
    "in-progress": "final",
    "on-hold": "final",
    "completed": "final",
    "stopped": "final",
    "unknown": "final",
    "not-done": "cancelled",
    "entered-in-error": "entered-in-error",
}
_ENDED = ("completed", "stopped")


def facts(body: Json, frame: Frame) -> Iterator[Outcome]:
    """The rate from its start, 0 at an end that no further rate follows; a total dose at its end; else that it was given."""
    if "medicationCodeableConcept" not in body:
        yield Refusal(reason="unmapped", message="the medication is a reference: send it as a coded concept")
        return
    code = code_of(body["medicationCodeableConcept"])
    if isinstance(code, Refusal):
        yield code
        return
    start, end = _period(body)
    if start is None:
        yield Refusal(reason="no-time", message="a MedicationAdministration without effective[x]")
        return
    dosage = body.get("dosage") or {}
    rate = _rate(dosage)
    if rate is not None:
        yield _row(code, "#rate", start, rate, body, frame)
        if body["status"] in _ENDED and end is not None and rate[0] != 0 and not _goes_on(body, end, frame):
            yield _row(code, "#end", end, (0.0, rate[1]), body, frame)
    elif "dose" not in dosage:
        yield _row(code, "#given", start, (None, None), body, frame)
    if "dose" in dosage:
        yield _dose(code, end or start, dosage["dose"], body, frame)


def _dose(code: str, end: str, dose: Json, body: Json, frame: Frame) -> Outcome:
    if body["status"] in ("in-progress", "on-hold"):
        return Ignored(kind="MedicationAdministration dose not complete")
    if "code" not in dose:
        return Refusal(reason="no-unit", message=f"{code}: a dose without a UCUM unit code")
    return _row(code, "#dose", end, (_amount(dose), dose["code"]), body, frame)


def _rate(dosage: Json) -> tuple[float | None, str | None] | None:
    if "rateQuantity" in dosage:
        return _amount(dosage["rateQuantity"]), dosage["rateQuantity"].get("code")
    if "rateRatio" in dosage:
        above, below = dosage["rateRatio"]["numerator"], dosage["rateRatio"]["denominator"]
        return _amount(above) / _amount({"value": 1} | below), f"{above['code']}/{below['code']}"
    return None


def _amount(quantity: Json) -> float:
    """A number that is no bound; ``ValueError`` for one with a comparator, which FHIR does not allow here."""
    if "comparator" in quantity:
        raise ValueError("a bound is no amount")
    return number(quantity["value"])


def _period(body: Json) -> tuple[str | None, str | None]:
    if "effectiveDateTime" in body:
        return body["effectiveDateTime"], None
    period = body.get("effectivePeriod") or {}
    return period.get("start"), period.get("end")


def _goes_on(body: Json, end: str, frame: Frame) -> bool:
    coding = body["medicationCodeableConcept"]["coding"][0]["code"]
    return body["status"] == "completed" and (frame.reference, coding, frame.instant(end)) in frame.folder.infusions


def _row(
    code: str, part: str, moment: str, amount: tuple[float | None, str | None], body: Json, frame: Frame
) -> Outcome:
    value, unit = amount
    if value is not None and unit is None:
        return Refusal(reason="no-unit", message=f"{code}: a rate without a UCUM unit code")
    status = _STATUS[body["status"]]
    time = frame.instant(moment)
    available, basis = frame.known(time, status=status, kind="treatment")
    return Fact(
        key=frame.key + part,
        subject_id=frame.subject_id,
        code=code,
        time=time,
        available_time=available,
        available_basis=basis,
        value=value,
        unit=unit,
        text=label_of(body["medicationCodeableConcept"]),
        encounter_id=encounter_of(body),
        status=status,
        record=frame.key,
    )
