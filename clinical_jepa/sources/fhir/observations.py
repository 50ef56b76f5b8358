"""FHIR Observations: numbers, panels, words, waveforms, and what their status says about them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from clinical_jepa.records.batch import Retraction, SignalPiece
from clinical_jepa.records.events import RETRACTED, REVISING
from clinical_jepa.sources.fhir import sampled
from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.frame import Frame, Ignored, Outcome, Refusal, encounter_of, retraction
from clinical_jepa.sources.fhir.mapping import code_of, label_of
from clinical_jepa.sources.fhir.times import only_event
from clinical_jepa.sources.rows import Fact
from clinical_jepa.vocabulary.codes import by_code

# None: there is no result yet
_STATUS = {
    "registered": None,
    "preliminary": "preliminary",
    "unknown": "preliminary",
    "final": "final",
    "amended": "amended",
    "corrected": "corrected",
    "cancelled": "cancelled",
    "entered-in-error": "entered-in-error",
}
_WORDS = ("valueString", "valueBoolean", "valueDateTime", "valueTime")
_NOT_READ = ("valueRange", "valueRatio", "valuePeriod", "valueAttachment", "valueReference")
UCUM = "http://unitsofmeasure.org"
COUNTED = ("interpretation", "referenceRange")  # EVENTS has no room for them

Reading = tuple[float | None, str | None, str | None]  # number, unit, words


def facts(body: Json, frame: Frame) -> Iterator[Outcome]:
    """A row for the value and one for each component; none where the value is absent for a stated reason.

    A revised version whose shape may not be the earlier one's first withdraws what that said: a component that it no longer
    has must not stand, nor a waveform where it has a number now, nor a number where it has a waveform.
    """
    status = _STATUS[body["status"]]
    if status is None or body.get("focus"):
        yield Ignored(
            kind="Observation registered, no result yet" if status is None else "Observation of another focus"
        )
        return
    if status == "final" and frame.revised:
        status = "amended"
    time = _time(body, frame, status)
    if time is None:
        yield Refusal(reason="no-time", message=_timeless(body))
        return
    found: list[Outcome] = []
    for key, holder in _holders(body, frame.key):
        if "valueSampledData" in holder:
            found += sampled.pieces((key, holder), body, frame, status)
        else:
            found.append(_fact(key, holder, body, frame, (time, status)))
    if status in REVISING and status not in RETRACTED and _may_differ_in_shape(body, found):
        found = [replace(one, after=0) if isinstance(one, Fact) else one for one in found]  # it follows the withdrawal
        yield _withdrawn_before(found, body, frame, (time, status))
    yield from found
    for name in COUNTED:
        if any(holder.get(name) for holder in (body, *body.get("component", ()))):
            yield Ignored(kind=f"Observation.{name}")


def _may_differ_in_shape(body: Json, found: list[Outcome]) -> bool:
    """Whether an earlier version may have said what the rows of this one do not take the place of by their facts alone.

    A number or words follow a number or words, unless their code names a waveform's channel. A waveform that is refused
    takes the place of nothing, as a number that is.
    """
    if body.get("component") or not any(name.startswith("value") for name in body):
        return True
    if "valueSampledData" in body:
        return not any(isinstance(one, Refusal) for one in found)
    return sampled.channel_of(body["code"]) is not None


def _withdrawn_before(found: list[Outcome], body: Json, frame: Frame, when: tuple[int, str]) -> Retraction:
    """Of the whole record, an instant before anything of the new version is known, so that all of it stands."""
    time, status = when
    itself = frame.known(time, status=status, reported=body.get("issued"), kind="chart")
    known = [(one.available_time, one.available_basis) for one in found if isinstance(one, Fact | SignalPiece)]
    available, basis = min(known, default=itself)
    return retraction(frame.key, available - 1, basis)


def _holders(body: Json, key: str) -> Iterator[tuple[str, Json]]:
    components = body.get("component", [])
    if not components or any(name.startswith("value") for name in body):
        yield key, body
    seen: dict[str, int] = {}
    for component in components:
        code = code_of(component["code"])
        name = code if isinstance(code, str) else "unmapped"
        seen[name] = seen.get(name, 0) + 1
        yield f"{key}#{name}" + (f"#{seen[name]}" if seen[name] > 1 else ""), component


def _fact(key: str, holder: Json, body: Json, frame: Frame, when: tuple[int, str]) -> Outcome:
    time, status = when
    code = code_of(holder["code"])
    if isinstance(code, Refusal):
        return code
    reading = _reading(holder, code)
    if reading is None or isinstance(reading, Ignored):
        if status not in REVISING:
            return reading or Ignored(kind="Observation without a value")
        # a correction that takes the value away, or a retraction that no longer shows it
        status, reading = (status if status in RETRACTED else "cancelled"), (None, None, None)
    if isinstance(reading, Refusal):
        return reading
    available, basis = frame.known(time, status=status, reported=body.get("issued"), kind=_kind(code, body))
    return Fact(
        key=key,
        subject_id=frame.subject_id,
        code=code,
        time=time,
        available_time=available,
        available_basis=basis,
        value=reading[0],
        unit=reading[1],
        text=reading[2],
        encounter_id=encounter_of(body),
        status=status,
        record=frame.key,
        after=frame.after,
    )


def _time(body: Json, frame: Frame, status: str) -> int | None:
    moment = body.get("effectiveDateTime") or body.get("effectiveInstant")
    if moment is None and "effectivePeriod" in body:
        period = body["effectivePeriod"]
        moment = period.get("end") or period.get("start")
    if moment is None and "effectiveTiming" in body:
        moment = only_event(body["effectiveTiming"])
    if (
        moment is None and status in RETRACTED
    ):  # servers empty what was entered in error; the retraction must still count
        moment = body.get("issued") or frame.meta.get("lastUpdated")
    return None if moment is None else frame.instant(moment)


def _timeless(body: Json) -> str:
    if "effectiveTiming" in body:
        return "an Observation whose effectiveTiming is not one event: which instant its value belongs to is not said"
    return "an Observation without effective[x]; the time of receipt is not its time"


def _kind(code: str, body: Json) -> str:
    known = by_code().get(code)
    if known is not None:
        return "lab" if known.kind == "lab" else "chart"
    for category in body.get("category", ()):
        for coding in category.get("coding", ()):
            if coding.get("code") == "laboratory":
                return "lab"
    return "chart"


def _reading(holder: Json, code: str) -> Reading | Refusal | Ignored | None:
    if "valueQuantity" in holder:
        return _quantity(holder["valueQuantity"], code)
    if "valueInteger" in holder:
        return number(holder["valueInteger"]), "1", None
    if "valueCodeableConcept" in holder:
        return None, None, label_of(holder["valueCodeableConcept"])
    for name in _WORDS:
        if name in holder:
            return None, None, str(holder[name])
    for name in _NOT_READ:
        if name in holder:
            return Ignored(kind=f"Observation.{name}")
    return None


def _quantity(quantity: Json, code: str) -> Reading | Refusal | None:
    if "value" not in quantity:
        return None
    value = number(quantity["value"])
    unit = quantity.get("code") if quantity.get("system", UCUM) == UCUM else None
    if unit is None:
        return Refusal(
            reason="no-unit", message=f"{code}: a number without a UCUM unit code; a display text is no unit"
        )
    if "comparator" in quantity:  # "< 0.01" is not 0.01
        return None, None, f"{quantity['comparator']}{quantity['value']} {unit}"
    return value, unit, None


def number(value: object) -> float:
    """A JSON number that a float holds; ``TypeError`` for one written as text or true, ``ValueError`` for one too large."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("a number is written as something else")
    if not math.isfinite(value):
        raise ValueError("no finite number")
    return float(value)
