"""FHIR codings to this system's codes, by ``schemas/codes/fhir.csv`` and ``fhir_systems.csv``."""

from __future__ import annotations

import re

from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.frame import Refusal
from clinical_jepa.vocabulary.codes import by_code
from clinical_jepa.vocabulary.tables import cached, cached_up_to, rows

_MANY = 1 << 16  # different codings kept in memory
_LOINC = re.compile(r"^(LP|LA)?\d{1,7}-\d$")


def code_of(concept: Json) -> str | Refusal:
    """The code of a CodeableConcept: a listed one if any coding leads there, else the first that can be trusted."""
    codings = concept.get("coding", ())
    return chosen(tuple([(coding.get("system", ""), coding["code"]) for coding in codings if "code" in coding]))


def canonical_names(concept: Json) -> list[tuple[str, str]]:
    """(short system name, code) of every coding of a CodeableConcept, as the tables of ``schemas/codes`` name them."""
    codings = concept.get("coding", ())
    return [(system_name(coding.get("system", "")), coding["code"]) for coding in codings if "code" in coding]


@cached_up_to(_MANY)
def chosen(codings: tuple[tuple[str, str], ...]) -> str | Refusal:
    """The code that (system, code) pairs lead to."""
    found = [canonical(system, code) for system, code in codings]
    kept = [code for code in found if code is not None]
    if kept:
        return next((code for code in kept if code in by_code()), kept[0])
    if found:
        system, code = codings[0]
        which = f"{system_name(system)}//{code[:40]}"
        return Refusal(
            reason="unmapped", message=f"{which}: the code map, or its own system, says it cannot be trusted"
        )
    return Refusal(reason="unmapped", message="no coding: a code given by its text alone is not guessed")


@cached_up_to(_MANY)
def canonical(system: str, code: str) -> str | None:
    """``LOINC//8867-4`` for a coding; None where the code must not be trusted."""
    short = system_name(system)
    if (short, code) in _map():
        return _map()[short, code] or None  # an empty cell: this code lies
    if short == "LOINC" and not _LOINC.match(code):
        return None
    return f"{short}//{code}"


@cached_up_to(_MANY)
def system_name(uri: str) -> str:
    """The short name of a code system: listed, or made of the last part of its address."""
    if uri in _systems():
        return _systems()[uri]
    last = re.split(r"[/:#]", uri.rstrip("/"))[-1]
    return re.sub(r"[^A-Za-z0-9.-]+", "_", last).upper() or "LOCAL"


def label_of(concept: Json) -> str | None:
    """The words of a CodeableConcept for a person: its text, else a display, else its code."""
    codings = concept.get("coding") or [{}]
    text = concept.get("text") or codings[0].get("display") or codings[0].get("code")
    return None if text is None else str(text)


@cached
def _map() -> dict[tuple[str, str], str]:
    return {(row["system"], row["code"]): row["canonical"] for row in rows("fhir.csv")}


@cached
def _systems() -> dict[str, str]:
    return {row["uri"]: row["name"] for row in rows("fhir_systems.csv")}
