"""What one file cannot tell alone: who its references mean, when stays began and ended, which infusions go on.

An NDJSON export splits a patient over files; a Bundle holds all. Both are looked through once before reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from clinical_jepa.sources.fhir.bindings import foreign
from clinical_jepa.sources.fhir.discharges import Stays, age_of, discharge_diagnoses, ended, void
from clinical_jepa.sources.fhir.files import NO_JSON, Json, items, kind_of, parsed
from clinical_jepa.sources.fhir.times import instant
from clinical_jepa.sources.fhir.versions import Version, as_r4, declared, version_of

_ENDS = ("*.ndjson*", "*.json*")
_NEEDS_NONE = (
    *("Observation", "Encounter", "Condition", "ImagingStudy", "MedicationRequest", "MedicationStatement", "Procedure"),
    *("ServiceRequest", "DiagnosticReport", "DocumentReference", "Device", "Flag"),
)
_TOLD_OF = ("Patient", "Encounter", "MedicationAdministration", "CapabilityStatement")
_KINDS = frozenset({*_NEEDS_NONE, *_TOLD_OF})
BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError)


@dataclass(frozen=True, kw_only=True)
class Folder:
    """``patients`` maps a Patient's id to its identifier; empty where the folder declares none.

    ``first_seen`` is a patient's first encounter start, ``stays`` what diagnoses wait for; ``infusions`` holds (subject id,
    code, start) of every administration with a rate; ``versions`` what a CapabilityStatement says, at most one.
    """

    patients: dict[str, str] = field(default_factory=dict)
    first_seen: dict[str, int] = field(default_factory=dict)
    stays: Stays = field(default_factory=Stays)
    infusions: set[tuple[str, str, int]] = field(default_factory=set)
    versions: list[Version] = field(default_factory=list)

    def version(self, body: Json) -> Version:
        """In which version of FHIR a resource of this folder is written."""
        return version_of(body, self.versions[0] if self.versions else None)


def look_through(path: Path, zone: ZoneInfo) -> Folder:
    """What the files beside ``path``, as far as it needs them, and ``path`` itself tell."""
    folder = Folder()
    for body in _bodies(path):
        try:
            _note(body, folder, zone)
        except BROKEN:
            continue  # the reading itself will say what is wrong with it
    return folder


def identifier_of(patient: Json) -> str:
    """The medical record number (an identifier whose system ends in ``mrn``), else the Patient's own id."""
    for identifier in patient.get("identifier", ()):
        if str(identifier.get("system", "")).lower().endswith("mrn") and "value" in identifier:
            return str(identifier["value"])
    return str(patient.get("id"))


def plain_id(reference: str) -> str:
    """The id in ``Type/id``, ``urn:uuid:id``, an absolute address or a versioned one."""
    return reference.partition("/_history/")[0].replace("urn:uuid:", "").rpartition("/")[2]


def needed(path: Path) -> list[Path]:
    """The files that must be looked through before ``path`` is read."""
    kind = _kind(path)
    wanted = {"Patient", "CapabilityStatement"} | ({"Encounter"} if kind in ("Patient", "Condition") else set())
    beside = {file for end in _ENDS for file in path.parent.glob(end) if _kind(file) in wanted}
    alone = ".ndjson" in path.name and kind in _NEEDS_NONE
    return sorted(beside | _of_other_runs(path, kind) | (set() if alone else {path}))


def _of_other_runs(path: Path, kind: str) -> set[Path]:
    """In a spool of numbered runs of one server: the stays that a diagnosis belongs to, and the rates that follow a rate.

    Patients are not among them: ingest remembers those, and a file that rested on them would be read anew after each run.
    """
    wanted = {"Patient": "Encounter", "Condition": "Encounter", "MedicationAdministration": kind}.get(kind)
    if wanted is None or not path.parent.name.isdigit():
        return set()
    runs = [one for one in path.parent.parent.iterdir() if one.is_dir() and one.name.isdigit()]
    return {file for run in runs for end in _ENDS for file in run.glob(end) if _kind(file) == wanted}


def _bodies(path: Path) -> Iterator[Json]:
    for file in needed(path):
        for item in items(file):
            try:
                told = item.raw is not None and kind_of(item.raw) in _TOLD_OF
            except NO_JSON:
                continue
            body = parsed(item) if told else ""
            if isinstance(body, dict):
                yield body


def _kind(path: Path) -> str:
    """The kind of resource that a file's name says first, "" where it names none that matters here."""
    return next((word for word in re.findall("[A-Za-z]+", path.name) if word in _KINDS), "")


def _note(body: Json, folder: Folder, zone: ZoneInfo) -> None:
    match body.get("resourceType"):
        case "CapabilityStatement":
            if (said := declared(body)) is not None and not folder.versions:
                folder.versions.append(said)
        case "Patient":
            folder.patients[str(body.get("id"))] = identifier_of(body)
        case "Encounter":
            _note_encounter(body, folder, zone)
        case "MedicationAdministration":
            version = folder.version(body)
            if foreign(body, version) is None:  # one that is refused goes on with nothing
                folder.infusions.update(_infusion(as_r4(body, version), zone))


def _note_encounter(body: Json, folder: Folder, zone: ZoneInfo) -> None:
    """What an Encounter names is held back before anything else of it is read, so that no other damage lets it through."""
    stays, name = folder.stays, str(body.get("id"))
    stays.note(name)  # whatever of it cannot be read: it has not ended
    age, subject = age_of(body, zone), body.get("subject")
    patient = plain_id(str(subject.get("reference", ""))) if isinstance(subject, dict) else ""
    try:
        body = as_r4(body, folder.version(body))
        stays.note(name, named=[plain_id(one) for one in discharge_diagnoses(body) if one is not None])
    except BROKEN:
        stays.hide(name, patient, age)
        raise
    stays.show(name, age)
    if void(body):
        stays.void.add(name)
    stays.note(name, ended(body, zone))
    start = (body.get("period") or {}).get("start")
    if start is not None and patient:
        first = instant(start, zone)
        folder.first_seen[patient] = min(first, folder.first_seen.get(patient, first))


def _infusion(body: Json, zone: ZoneInfo) -> set[tuple[str, str, int]]:
    coding = body["medicationCodeableConcept"]["coding"][0]["code"]
    if not {"rateQuantity", "rateRatio"} & set(body["dosage"]) or body["status"] in ("not-done", "entered-in-error"):
        return set()
    return {(plain_id(body["subject"]["reference"]), coding, instant(body["effectivePeriod"]["start"], zone))}
