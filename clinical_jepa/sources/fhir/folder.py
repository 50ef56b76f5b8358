"""What one file cannot tell alone: who its references mean, when stays began and ended, which infusions go on.

An NDJSON export splits a patient over files; a Bundle holds all. Both are looked through once before reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from clinical_jepa.sources.fhir.files import Json, items
from clinical_jepa.sources.fhir.times import instant

_ONE_TYPE = ("Observation", "Encounter", "Condition", "MedicationAdministration", "MedicationRequest", "ImagingStudy")


@dataclass(frozen=True, kw_only=True)
class Folder:
    """``patients`` maps a Patient's id to its identifier; empty where the folder declares none.

    ``first_seen`` is a patient's first encounter start, ``ends`` an encounter's end; ``infusions`` holds
    (subject id, code, start) of every administration with a rate.
    """

    patients: dict[str, str]
    first_seen: dict[str, int]
    ends: dict[str, int]
    infusions: frozenset[tuple[str, str, int]]


def look_through(path: Path, zone: ZoneInfo) -> Folder:
    """What the files beside ``path``, as far as it needs them, and ``path`` itself tell."""
    folder = Folder(patients={}, first_seen={}, ends={}, infusions=frozenset())
    infusions: set[tuple[str, str, int]] = set()
    for body in _bodies(path):
        match body.get("resourceType"):
            case "Patient":
                folder.patients[str(body.get("id"))] = identifier_of(body)
            case "Encounter":
                _note_encounter(body, folder, zone)
            case "MedicationAdministration":
                infusions |= _infusion(body, zone)
    return Folder(
        patients=folder.patients, first_seen=folder.first_seen, ends=folder.ends, infusions=frozenset(infusions)
    )


def identifier_of(patient: Json) -> str:
    """The medical record number (an identifier whose system ends in ``mrn``), else the Patient's own id."""
    for identifier in patient.get("identifier", ()):
        if str(identifier.get("system", "")).lower().endswith("mrn") and "value" in identifier:
            return str(identifier["value"])
    return str(patient.get("id"))


def plain_id(reference: str) -> str:
    """The id in ``Type/id``, ``urn:uuid:id``, an absolute address or a versioned one."""
    return reference.partition("/_history/")[0].replace("urn:uuid:", "").rpartition("/")[2]


def _bodies(path: Path) -> Iterator[Json]:
    for file in needed(path):
        for item in items(file):
            if item.body is not None:
                yield item.body


def needed(path: Path) -> list[Path]:
    """The files that must be looked through before ``path`` is read."""
    kind = _kind(path)
    wanted = {"Patient"} | ({"Encounter"} if kind in ("Patient", "Condition") else set())
    beside = {
        file for pattern in ("*.ndjson*", "*.json*") for file in path.parent.glob(pattern) if _kind(file) in wanted
    }
    return sorted(beside | ({path} if kind not in _ONE_TYPE or kind == "MedicationAdministration" else set()))


def _kind(path: Path) -> str:
    letters = re.match(r"[A-Za-z]*", path.name)
    return letters.group() if letters else ""


def _note_encounter(body: Json, folder: Folder, zone: ZoneInfo) -> None:
    period = body.get("period") or {}
    try:
        start, end = (None if key not in period else instant(period[key], zone) for key in ("start", "end"))
        subject = plain_id(body["subject"]["reference"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return  # the reading itself will say what is wrong with it
    if start is not None:
        folder.first_seen[subject] = min(start, folder.first_seen.get(subject, start))
    if end is not None:
        folder.ends[str(body.get("id"))] = end


def _infusion(body: Json, zone: ZoneInfo) -> set[tuple[str, str, int]]:
    try:
        coding = body["medicationCodeableConcept"]["coding"][0]["code"]
        if not {"rateQuantity", "rateRatio"} & set(body["dosage"]) or body["status"] in (
            "not-done",
            "entered-in-error",
        ):
            return set()
        return {(plain_id(body["subject"]["reference"]), coding, instant(body["effectivePeriod"]["start"], zone))}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return set()
