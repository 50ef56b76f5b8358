"""R4 (with R4B) and R5 told apart, and R5 resources under their R4 names, so that readers know one version only.

A server's CapabilityStatement decides where there is one; else the shape does. What is alike in both is read as R4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from clinical_jepa.sources.fhir.bindings import has_r5_code
from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.vocabulary.tables import cached, rows

_TYPE = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+){0,5}")
Version = Literal["R4", "R5"]  # R4B counts as R4: what is read here is alike in both

_R5_ENCOUNTER = {"on-hold": "onleave", "discharged": "finished", "completed": "finished", "discontinued": "finished"}
_RENAMED: Mapping[str, Mapping[str, str]] = {
    "Encounter": {"actualPeriod": "period", "admission": "hospitalization"},
    # the standard itself spells it with one r
    "MedicationAdministration": {"occurenceDateTime": "effectiveDateTime", "occurencePeriod": "effectivePeriod"},
    "Procedure": {"occurrenceDateTime": "performedDateTime", "occurrencePeriod": "performedPeriod"},
}


def declared(statement: Json) -> Version | None:
    """The version that a CapabilityStatement names; None where it names none of those read here."""
    number = str(statement.get("fhirVersion", ""))
    return "R5" if number.startswith("5.") else "R4" if number.startswith("4.") else None


def version_of(body: Json, said: Version | None = None) -> Version:
    """Which version a resource is written in."""
    if said is not None:
        return said
    kind = body.get("resourceType")
    names = fields().get(kind, {}) if isinstance(kind, str) else {}
    only = {names.get(name) for name in body}
    if "R4" in only and "R5" not in only:
        return "R4"
    return "R5" if "R5" in only or _looks_r5(body) or has_r5_code(body) else "R4"


def named(kind: str) -> str:
    """A resource's type as counts may say it: text that no type of FHIR's can be could hold anything."""
    return kind if _TYPE.fullmatch(kind) else "another type"


def as_r4(body: Json, version: Version) -> Json:
    """The resource under R4's names and shapes, as far as it is read here; itself where it is R4."""
    if version == "R4":
        return body
    kind = body.get("resourceType")
    renamed = _RENAMED.get(kind, {}) if isinstance(kind, str) else {}
    out = {renamed.get(name, name): content for name, content in body.items()}
    if isinstance(medication := out.get("medication"), dict) and "concept" in medication:
        out["medicationCodeableConcept"] = medication["concept"]
    match kind:
        case "Encounter":
            out["class"] = _first(out.get("class"), "coding")
            out["diagnosis"] = [_diagnosis(one, said) for one in out.get("diagnosis", ()) for said in _conditions(one)]
            if isinstance(out.get("status"), str):
                out["status"] = _R5_ENCOUNTER.get(out["status"], out["status"])
        case "ServiceRequest" if isinstance(out.get("code"), dict):
            out["code"] = out["code"].get("concept", out["code"])
        case "ImagingStudy":
            out["series"] = [_series(series) for series in out.get("series", ())]
            out["modality"] = [_first([one], "coding") for one in out.get("modality", ())]
        case "DocumentReference" if isinstance(out.get("context"), list):
            out["encounter"] = next(iter(out.pop("context")), None)
    return out


@cached
def fields() -> dict[str, dict[str, str]]:
    """By resource: its elements, and in which version they stand (``R4``, ``R5`` or ``both``)."""
    found: dict[str, dict[str, str]] = {}
    for row in rows("fhir_fields.csv"):
        found.setdefault(row["resource"], {})[row["field"]] = row["version"]
    return found


def _looks_r5(body: Json) -> bool:
    kind = body.get("resourceType")
    if kind == "Encounter":
        return isinstance(body.get("class"), list) or _lists_conditions(body.get("diagnosis"))
    if kind == "ServiceRequest":
        return isinstance(body.get("code"), dict) and "concept" in body["code"]
    if kind in ("DocumentReference", "Device"):
        return isinstance(body.get("context" if kind == "DocumentReference" else "type"), list)
    if kind == "ImagingStudy":
        series = body.get("series")
        first = series[0] if isinstance(series, list) and series else None
        modality = first.get("modality") if isinstance(first, dict) else None
        return isinstance(modality, dict) and "coding" in modality
    return False


def _lists_conditions(diagnoses: object) -> bool:
    held = diagnoses if isinstance(diagnoses, list) else ()
    return any(isinstance(one, dict) and isinstance(one.get("condition"), list) for one in held)


def _conditions(diagnosis: Json) -> list[Json]:
    """What a diagnosis of R5 is about; one that says nothing where it only has a use."""
    said = diagnosis.get("condition", [{}])
    if not isinstance(said, list):
        raise TypeError("R5 has a list of conditions")
    return said


def _diagnosis(diagnosis: Json, said: Json) -> Json:
    """R4 has one reference and one concept where R5 has lists of them."""
    out = {"condition": said.get("reference", {})}
    if uses := [use.get("coding", ()) for use in diagnosis.get("use", ())]:
        out["use"] = {
            "coding": [coding for use in uses for coding in use] if all(uses) else []
        }  # [] where one is words
    return out


def _series(series: Json) -> Json:
    return series | {"modality": _first([series["modality"]], "coding")} if "modality" in series else series


def _first(concepts: object, inside: str) -> Json:
    """The first coding of the first concept; empty where there is none."""
    for concept in concepts if isinstance(concepts, list) else ():
        for coding in concept.get(inside, ()):
            return dict(coding)
    return {}
