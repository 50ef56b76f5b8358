"""FHIR Patients and Encounters: who is here, since when, in which bed."""

from __future__ import annotations

from collections.abc import Iterator

from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.folder import plain_id
from clinical_jepa.sources.fhir.frame import Frame, Ignored, Outcome, Refusal
from clinical_jepa.sources.fhir.times import day_start
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
_GENDERS = {"female": "GENDER//F", "male": "GENDER//M"}


def encounter(body: Json, frame: Frame) -> Iterator[Outcome]:
    """Admission, beds and discharge of a stay in the house; one VISIT row for any other encounter."""
    if body["status"] not in _STATUS:
        yield Refusal(reason="invalid", message="Encounter.status is none of FHIR's nine")
        return
    status = _STATUS[body["status"]]
    if status is None:
        yield Ignored(kind="Encounter planned")
        return
    if "start" not in (body.get("period") or {}):
        yield Refusal(reason="no-time", message="an Encounter without period.start")
        return
    start = body["period"]["start"]
    kind = body["class"]["code"]
    if kind not in _IN_HOUSE:
        yield _row(f"VISIT//{kind}", "", start, frame, status)
        return
    yield _row(f"HOSPITAL_ADMISSION//{kind}", "#admission", start, frame, status)
    yield from _beds(body, frame, status)
    if body["status"] == "finished" and "end" in body["period"]:
        yield _row(f"HOSPITAL_DISCHARGE//{_disposition(body)}", "#discharge", body["period"]["end"], frame, status)


def patient(body: Json, frame: Frame) -> Iterator[Outcome]:
    """Sex, birth and death. The first two are known since the first encounter, as nothing else says when."""
    known = _registered(body, frame)
    code = _GENDERS.get(body.get("gender", ""))
    if known is None:
        yield Refusal(
            reason="no-time", message="nothing tells since when this Patient is known: no encounter, no lastUpdated"
        )
        return
    if code is not None:
        yield _static(code, "#gender", None, known, frame)
    if "birthDate" in body:
        yield _static("MEDS_BIRTH", "#birth", day_start(body["birthDate"], frame.context.zone), known, frame)
    if "deceasedDateTime" in body:
        yield _row("MEDS_DEATH", "#death", body["deceasedDateTime"], frame, "final")


def _registered(body: Json, frame: Frame) -> tuple[int, str] | None:
    if body.get("id") in frame.folder.first_seen:
        return frame.folder.first_seen[body["id"]], "assumed"
    updated = frame.meta.get("lastUpdated")
    return None if updated is None else (frame.instant(updated), "last-updated")


def _beds(body: Json, frame: Frame, status: str) -> Iterator[Outcome]:
    for entry in body.get("location", ()):
        if entry.get("status") in ("planned", "reserved"):
            continue
        place = entry["location"]
        bed = place.get("display") or plain_id(place["reference"])
        start = (entry.get("period") or {}).get("start") or body["period"]["start"]
        yield _row("TRANSFER_TO", f"#bed#{start}", start, frame, status, bed)


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
        encounter_id=frame.key.partition("/")[2] if frame.key.startswith("Encounter/") else None,
        status=status,
    )


def _static(code: str, part: str, time: int | None, known: tuple[int, str], frame: Frame) -> Fact:
    return Fact(
        key=frame.key + part,
        subject_id=frame.subject_id,
        code=code,
        time=time,
        available_time=known[0],
        available_basis=known[1],
    )
