"""FHIR Patients: sex, birth and death, and which records are of one person."""

from __future__ import annotations

from collections.abc import Iterator

from clinical_jepa.records.batch import SubjectLink
from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.folder import identifier_of, plain_id
from clinical_jepa.sources.fhir.frame import SOURCE, Frame, Ignored, Outcome, Refusal
from clinical_jepa.sources.fhir.times import day_start
from clinical_jepa.sources.rows import Fact

_GENDERS = {"female": "GENDER//F", "male": "GENDER//M", "other": None, "unknown": None}


def patient(body: Json, frame: Frame) -> Iterator[Outcome]:
    """Sex, birth, death and links. The first two are known since the first encounter, as nothing else says when."""
    identifier_of(body)  # fails where its shape hides who this is: references to it were not declared then
    yield from _links(body, frame)
    known = _registered(body, frame)
    if known is None:
        message = "nothing tells since when this Patient is known: no encounter, no lastUpdated"
        yield Refusal(reason="no-time", message=message)
        return
    yield from _statics(body, frame, known)
    if "deceasedDateTime" in body:
        yield _death(body["deceasedDateTime"], frame)
    elif body.get("deceasedBoolean"):
        yield Ignored(kind="Patient.deceasedBoolean: died, nobody says when")


def _statics(body: Json, frame: Frame, known: tuple[int, str]) -> Iterator[Outcome]:
    if (code := _GENDERS[body.get("gender", "unknown")]) is not None:
        yield _row(code, "#gender", None, known, frame)
    if "birthDate" in body:
        yield _row("MEDS_BIRTH", "#birth", day_start(body["birthDate"], frame.context.zone), known, frame)


def _registered(body: Json, frame: Frame) -> tuple[int, str] | None:
    if body.get("id") in frame.folder.first_seen:
        return frame.folder.first_seen[body["id"]], "assumed"
    updated = frame.last_updated
    return None if updated is None else (updated, "last-updated")


def _links(body: Json, frame: Frame) -> Iterator[Outcome]:
    """Merges; and for a later version without one, that this record now stands alone (it survives itself)."""
    updated, merged = frame.last_updated, False
    for link in body.get("link", ()):
        if link["type"] not in ("replaced-by", "replaces"):
            yield Ignored(kind=f"Patient.link {link['type']}")
            continue
        merged = merged or link["type"] == "replaced-by"
        other = frame.subject_of(plain_id(link["other"]["reference"]))
        if updated is None:
            yield Refusal(reason="no-time", message="a Patient.link, and no meta.lastUpdated that tells since when")
        elif other is None:
            yield Refusal(reason="unknown-subject", message="a Patient.link to one that is not declared: send it too")
        elif other == frame.subject_id:
            yield Ignored(kind="Patient.link to a record of the same identifier")
        elif link["type"] == "replaced-by":
            yield _link(frame.subject_id, other, updated)
        else:
            yield _link(other, frame.subject_id, updated)
    if not merged and frame.revised and updated is not None and body.get("active", True):
        yield _link(frame.subject_id, frame.subject_id, updated)


def _link(absorbed: int, survivor: int, at: int) -> SubjectLink:
    return SubjectLink(
        absorbed=absorbed,
        survivor=survivor,
        active=absorbed != survivor,
        time=at,
        available_time=at,
        available_basis="last-updated",
        source=SOURCE,
    )


def _death(moment: str, frame: Frame) -> Fact:
    time = frame.instant(moment)
    return _row("MEDS_DEATH", "#death", time, frame.known(time, kind="stay"), frame)


def _row(code: str, part: str, time: int | None, known: tuple[int, str], frame: Frame) -> Fact:
    return Fact(
        key=frame.key + part,
        subject_id=frame.subject_id,
        code=code,
        time=time,
        available_time=known[0],
        available_basis=known[1],
        record=frame.key,
    )
