"""OBX-5 by its type (OBX-2): a number with its unit, words, nothing, or something that is not taken."""

from __future__ import annotations

import re

from clinical_jepa.sources.hl7v2.frame import Ignored, Refusal
from clinical_jepa.sources.hl7v2.mapping import absent, named, unit_of
from clinical_jepa.sources.hl7v2.message import Segment
from clinical_jepa.vocabulary.codes import by_code

Reading = tuple[float | None, str | None, str | None]  # number, unit, words

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_COMPARED = re.compile(r"(<=|>=|<|>)\s*([+-]?(?:\d+\.?\d*|\.\d+))", re.ASCII)
_RANGE = re.compile(r"\d+(?:\.\d+)?\s*-\s*\d+(?:\.\d+)?", re.ASCII)
_WORDS = ("ST", "TX", "FT", "ID", "IS", "DT", "TM", "TS", "DTM", "NR")
_CODED = ("CE", "CWE", "CNE", "CF")
_NOT_READ = {"MA": "waveform", "CD": "channel description", "ED": "document", "RP": "document"}


def reading(segment: Segment, code: str) -> Reading | Refusal | Ignored | None:
    """What an OBX says; None where it says nothing: empty, ``\"\"`` or a sentinel."""
    kind = segment.text(2).upper()
    if kind in _NOT_READ:
        return Ignored(kind=f"OBX {_NOT_READ[kind]} ({kind})")
    if kind in _CODED:
        found: Reading | Refusal | None = _coded(segment)
    elif kind in ("NM", "SN"):
        found = _structured(segment, code) if kind == "SN" else _number(segment, code)
    elif kind in _WORDS or not kind:
        found = _words(segment, code)
    else:
        return Refusal(reason="invalid", message=f"{named(code)}: OBX-2 is no type of result that is read here")
    return found


def _number(segment: Segment, code: str) -> Reading | Refusal | None:
    text = segment.words(5)
    if not text or absent(text):
        return None
    compared = _COMPARED.fullmatch(text)
    if compared or _RANGE.fullmatch(text):  # "< 0.01" is not 0.01
        return None, None, _with_unit("".join(compared.groups()) if compared else text, segment, code)
    if not _NUMBER.fullmatch(text):
        return Refusal(reason="invalid", message=f"{named(code)}: OBX-5 of type NM is no number")
    return _measured(float(text), segment, code)


def _structured(segment: Segment, code: str) -> Reading | Refusal | None:
    """SN: comparator, number, separator, number. Only a single number without a bound is a number."""
    compare, first, between, second = (segment.text(5, part) for part in (1, 2, 3, 4))
    if not first or absent(first):
        return None
    if not _NUMBER.fullmatch(first) or (second and not _NUMBER.fullmatch(second)):
        return Refusal(reason="invalid", message=f"{named(code)}: OBX-5 of type SN holds no number")
    if compare in ("", "=") and not between and not second:
        return _measured(float(first), segment, code)
    return None, None, _with_unit(f"{compare}{first}{between}{second}", segment, code)


def _words(segment: Segment, code: str) -> Reading | Refusal | None:
    """Text; a plain number with a unit, or under a code of numbers, is a number all the same."""
    text = segment.words(5)
    if not text or absent(text):
        return None
    known = by_code().get(code)
    if _NUMBER.fullmatch(text) and (_given(segment) or (known is not None and known.unit is not None)):
        return _measured(float(text), segment, code)
    return None, None, text


def _coded(segment: Segment) -> Reading | None:
    """The words of a coded value: its text, the sender's own words, or its code."""
    text = next((text for part in (2, 9, 5, 1, 4) if (text := segment.text(5, part))), "")
    return None if not text or absent(text) else (None, None, text)


def _measured(value: float, segment: Segment, code: str) -> Reading | Refusal:
    unit = unit_of(_units(segment), code)
    if unit is None and _given(segment):
        message = f"{named(code)}: OBX-6 is in no table of units; where it is certain, add it to units_met.csv"
        return Refusal(reason="unknown-unit", message=message)
    return value, unit, None


def _with_unit(text: str, segment: Segment, code: str) -> str:
    unit = unit_of(_units(segment), code)
    return text if unit is None else f"{text} {unit}"


def _units(segment: Segment) -> list[tuple[str, str]]:
    return [(segment.text(6, part), segment.text(6, part + 2)) for part in (1, 4)]


def _given(segment: Segment) -> bool:
    return any(text for text, _ in _units(segment))
