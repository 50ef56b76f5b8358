"""HL7's codes, units, states and character sets as this system has them, by the tables ``schemas/codes/hl7v2*.csv``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from clinical_jepa.vocabulary.codes import by_code
from clinical_jepa.vocabulary.tables import cached, rows
from clinical_jepa.vocabulary.units import ucum_of

# OBX-11 with an official meaning; "N" (not asked) has no result. All others are a site's to declare.
STATUSES: Mapping[str, str | None] = {
    "F": "final",
    "P": "preliminary",
    "C": "corrected",
    "A": "amended",
    "D": "entered-in-error",
    "W": "entered-in-error",
    "X": "cancelled",
    "N": None,
}
_LOINC = re.compile(r"^(LP|LA)?\d{1,7}-\d$")
_CODE = re.compile(r"^[^\x00-\x1f\x7f\ud800-\udfff]{1,80}$")
_SYSTEM = re.compile(r"^[A-Za-z0-9._+-]{1,40}$")
_PLAIN = ("1", "{score}", "[pH]")  # canonical units of numbers that have none

Coding = tuple[str, str]  # code, name of its system as the message writes it


def code_of(codings: Iterable[Coding]) -> str | None:
    """The code of an OBX-3: a listed one if any of its codings leads there, else the first that can be trusted."""
    found = [code for one in codings if _CODE.match(one[0]) and (code := canonical(*one)) is not None]
    return next((code for code in found if code in by_code()), found[0] if found else None)


def canonical(code: str, system: str) -> str | None:
    """``LOINC//8867-4``, or ``LOCAL//…`` for a code without a system; None where the code must not be trusted."""
    short = _system(system)
    mapped = _map().get((short, code))
    if mapped is not None:
        return mapped or None  # an empty cell: this code lies
    if short == "LOINC" and not _LOINC.match(code):
        return None
    return f"{short}//{code}"


def untrusted(codings: Iterable[Coding]) -> str:
    """Why an OBX-3 has no code, for a person. Only what a table lists is said: a damaged message may hold anything there."""
    given = [one for one in codings if one[0]]
    for code, name in given:
        if _map().get((_system(name), code)) == "":
            return f"OBX-3 is {_system(name)}//{code}, which must not be trusted, as hl7v2.csv says"
    return "OBX-3 holds nothing that has the form of a code of its system" if given else "OBX-3 holds no code"


def named(code: str) -> str:
    """The code for a message to a person; an unlisted one stays unsaid, as a damaged message may hold anything there."""
    return code if code in by_code() else "an unlisted code"


def unit_of(codings: Iterable[Coding], code: str) -> str | None:
    """The UCUM unit of an OBX-6; None where none is given, or what is given is in no table.

    A number without a unit has one only where the unit of its code is none (a score, a pH, a ratio).
    """
    given = [one for one in codings if one[0]]
    if not given:
        known = by_code().get(code)
        return known.unit if known is not None and known.unit in _PLAIN else None
    for text, system in given:
        if system.upper() in ("UCUM", "HTTP://UNITSOFMEASURE.ORG"):
            return text
        if (found := ucum_of(text, _system(system))) is not None:
            return found
    return None


def absent(text: str) -> bool:
    """One of the numbers and words that monitors send where they have no value (``hl7v2_absent.csv``)."""
    words, numbers = _absent()
    if text.lower() in words:
        return True
    try:
        return float(text) in numbers
    except ValueError:
        return False


def codec(names: Iterable[str]) -> str:
    """Python's codec for MSH-18; ASCII where nothing, or nothing known, is declared.

    Of several sets the last known one counts: it is switched to by escapes, and holds ASCII.
    """
    known = [_charsets()[name.strip().upper()] for name in names if name.strip().upper() in _charsets()]
    return known[-1] if known else "ascii"


def _system(name: str) -> str:
    plain = name.strip()
    if plain.upper() in _systems():
        return _systems()[plain.upper()]
    return plain.upper() if _SYSTEM.match(plain) else "LOCAL"


@cached
def _map() -> dict[Coding, str]:
    return {(row["system"], row["code"]): row["canonical"] for row in rows("hl7v2.csv")}


@cached
def _systems() -> dict[str, str]:
    return {row["name"]: row["system"] for row in rows("hl7v2_systems.csv")}


@cached
def _absent() -> tuple[frozenset[str], frozenset[float]]:
    texts = [row["text"] for row in rows("hl7v2_absent.csv")]
    numbers = [float(text) for text in texts if re.fullmatch(r"-?\d+(\.\d+)?", text)]
    return frozenset(texts), frozenset(numbers)


@cached
def _charsets() -> dict[str, str]:
    return {row["name"]: row["codec"] for row in rows("hl7v2_charsets.csv")}
