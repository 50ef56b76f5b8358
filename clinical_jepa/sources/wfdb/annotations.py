"""The MIT annotation format (annot(5) of the WFDB library) → samples and their notes.

Read here and not by ``wfdb.rdann``, which in 4.3.1 loops for ever on a note "## …" that it does not expect; one damaged
byte must not stop a ward's ingest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_NOTE, _SKIP, _AUX = 22, 59, 63
_FIELDS = (60, 61, 62)  # NUM, SUB, CHN: they say more of the annotation before them
_BEGIN, _END = "## annotation type definitions", "## end of definitions"
_RATE = re.compile(r"^## time resolution: *(\d+(?:\.\d*)?)")


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """``notes`` are ``(sample, text)``, text "" where there is none; ``rate_hz`` is the file's own, if it has one.

    ``whole`` is false where the file ends before its end mark. The last note, whose text may be lost, is left out then.
    """

    notes: tuple[tuple[int, str], ...]
    rate_hz: float | None
    whole: bool = True


def parse(content: bytes) -> Annotations:
    """The annotations of a file's bytes, as far as they go."""
    found: list[tuple[int, int, str]] = []
    sample = at = 0
    while at + 2 <= len(content):
        kind, number = divmod(_word(content, at), 1024)
        at += 2
        if kind == 0 and number == 0:
            return _without_definitions(found)
        if kind == _SKIP:  # a long step: the high half first, signed
            step = _word(content, at) << 16 | _word(content, at + 2)
            sample += step - (1 << 32 if step >= 1 << 31 else 0)
            at += 4
        elif kind == _AUX:
            text = content[at : at + number].decode("latin-1").rstrip("\x00 ")
            at += number + number % 2
            if found:
                found[-1] = (*found[-1][:2], text)
        elif kind not in _FIELDS:
            sample += number
            if kind:  # 0 is "not an annotation": a step in time and no more
                found.append((sample, kind, ""))
    return replace(_without_definitions(found[:-1]), whole=False)


def _word(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 2], "little")


def _without_definitions(found: list[tuple[int, int, str]]) -> Annotations:
    """Notes "## …" at sample 0, and those in a block of them, define the file's rate and types: no annotations."""
    notes, rate, inside = [], None, False
    for sample, kind, text in found:
        if (sample, kind) == (0, _NOTE) and (inside or text.startswith("## ")):
            inside = text == _BEGIN or (inside and text != _END)
            match = _RATE.match(text)
            rate = rate or (float(match[1]) if match else None) or None
        else:
            notes.append((sample, text))
    return Annotations(notes=tuple(notes), rate_hz=rate)
