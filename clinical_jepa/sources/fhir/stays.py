"""FHIR Encounters: who is here, since when, in which bed. R5 ones come under their R4 names."""

from __future__ import annotations

from collections.abc import Iterator

from clinical_jepa.sources.fhir.discharges import discharge_diagnoses
from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.folder import plain_id
from clinical_jepa.sources.fhir.frame import Frame, Ignored, Outcome, Refusal
from clinical_jepa.sources.rows import Fact

# v3-ActCode classes of a patient who lies in the house; the others are visits
_IN_HOUSE = ("IMP", "ACUTE", "NONAC", "EMER", "OBSENC", "SS")
_STATUS = {
    "planned": None,
    "arrived": "final",
    "triaged": "final",
    "in-progress": "final",
    "onleave": "final",
    "finished": "final",
    "unknown": "final",
    "cancelled": "cancelled",
    "entered-in-error": "entered-in-error",
}


def encounter(body: Json, frame: Frame) -> Iterator[Outcome]:
    """Admission, beds, changes of class and discharge of a stay in the house; one VISIT row for any other encounter."""
    if None in discharge_diagnoses(body):  # fails where a shape hides which: the Encounter is refused then
        yield Ignored(kind="Encounter.diagnosis at discharge that refers to no Condition")
    status = _STATUS[body["status"]]
    if status is None:
        yield Ignored(kind="Encounter planned")
        return
    if "start" not in (body.get("period") or {}):
        yield Refusal(reason="no-time", message="an Encounter without period.start")
        return
    start = body["period"]["start"]
    kind = body["class"].get("code", "UNKNOWN")
    if kind not in _IN_HOUSE:
        yield _row(f"VISIT//{kind}", "", start, frame, status)
        return
    yield _row(f"HOSPITAL_ADMISSION//{kind}", "#admission", start, frame, status)
    yield from _beds(body, frame, status)
    yield from _classes(body, frame, status)
    if body["status"] == "finished" and "end" in body["period"]:
        yield _row(f"HOSPITAL_DISCHARGE//{_disposition(body)}", "#discharge", body["period"]["end"], frame, status)


def _beds(body: Json, frame: Frame, status: str) -> Iterator[Outcome]:
    for entry in body.get("location", ()):
        if entry.get("status") in ("planned", "reserved"):
            continue
        place = entry["location"]
        bed = place.get("display") or plain_id(place["reference"])
        start = (entry.get("period") or {}).get("start") or body["period"]["start"]
        yield _row("TRANSFER_TO", f"#bed#{start}", start, frame, status, bed)


def _classes(body: Json, frame: Frame, status: str) -> Iterator[Outcome]:
    """What the patient was before, e.g. an emergency that was then admitted."""
    for entry in body.get("classHistory", ()):
        start = entry["period"].get("start")
        if start is not None:
            kind = entry["class"].get("code", "UNKNOWN")
            yield _row(f"ENCOUNTER_CLASS//{kind}", f"#class#{start}", start, frame, status)


def _disposition(body: Json) -> str:
    concept = (body.get("hospitalization") or {}).get("dischargeDisposition") or {}
    codings = concept.get("coding") or [{}]
    return str(codings[0].get("code", "UNKNOWN"))


def _row(code: str, part: str, moment: str, frame: Frame, status: str, text: str | None = None) -> Fact:
    time = frame.instant(moment)
    available, basis = frame.known(time, status=status, kind="stay")
    return Fact(
        key=frame.key + part,
        subject_id=frame.subject_id,
        code=code,
        time=time,
        available_time=available,
        available_basis=basis,
        text=text,
        encounter_id=frame.key.partition("/")[2],
        status=status,
        record=frame.key,
    )
