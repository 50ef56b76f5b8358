"""One message: decoded by its own character set, parsed by python-hl7, and its fields as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clinical_jepa.sources.hl7v2.header import Header, header
from clinical_jepa.sources.hl7v2.mapping import codec

_TEXT = {"OBX": 5, "NTE": 3}  # the number of the field that holds text
NULL = '""'  # a field that its sender empties on purpose


class Unreadable(ValueError):
    """Bytes that are no HL7 message; the text says why, without their content."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One segment. Fields, repetitions, components and subcomponents count from 1, as in the standard."""

    name: str
    parsed: Any  # hl7.Segment
    separators: str
    codec: str

    def text(self, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 1) -> str:
        """One subcomponent, escapes resolved, without blanks around it; nothing where it is absent or ``\"\"``."""
        part = self.parsed[field] if field < len(self.parsed) else ""
        for index in (repetition, component, subcomponent):
            part = _nth(part, index)
        plain = unescape(str(part), self.separators, self.codec).strip()
        return "" if plain == NULL else plain

    def words(self, field: int) -> str:
        """A whole field as free text: repetitions are lines; separators within it stand for themselves."""
        part = self.parsed[field] if field < len(self.parsed) else ""
        repetitions = [part] if isinstance(part, str) else list(part)
        lines = [unescape(str(one), self.separators, self.codec).rstrip() for one in repetitions]
        plain = "\n".join(lines).strip()
        return "" if plain == NULL else plain

    def repetitions(self, field: int) -> int:
        """How many there are of a field."""
        part = self.parsed[field] if field < len(self.parsed) else ""
        return 1 if isinstance(part, str) else len(part)


@dataclass(frozen=True, kw_only=True)
class Message:
    """``kind`` is ``("ORU", "R01")``; ``segments`` are in order, MSH first.

    ``stray`` counts lines that begin no segment and go on no text: damage.
    """

    header: Header
    kind: tuple[str, str]
    segments: tuple[Segment, ...]
    stray: int = 0

    def first(self, name: str) -> Segment | None:
        """The first segment of a name."""
        return next((one for one in self.segments if one.name == name), None)

    def all(self, name: str) -> Iterator[Segment]:
        """Every segment of a name."""
        return (one for one in self.segments if one.name == name)


def parse(raw: bytes) -> Message:
    """A whole message. ``Unreadable`` where it is none.

    Bytes that are no text in the declared character set stay marked (surrogates): only what uses them is refused.
    """
    import hl7

    head = header(raw.lstrip())
    if head is None:
        raise Unreadable("no usable header: MSH with a field separator and distinct encoding characters")
    if head.kind is None:
        raise Unreadable("MSH-9 is no message type")
    name = codec(head.field(18).split(head.separators[1]))
    text = _decoded(raw, name)
    lines, stray = _segments(text, head)
    try:
        parsed = hl7.parse("\r".join(lines))
    except (hl7.HL7Exception, IndexError, ValueError, KeyError, AssertionError) as error:
        raise Unreadable(f"python-hl7 cannot parse it ({type(error).__name__})") from error
    separators = head.field_separator + head.separators
    segments = [
        Segment(name=str(one[0]), parsed=one, separators=separators, codec=name) for one in parsed if one and one[0]
    ]
    return Message(header=head, kind=head.kind, segments=tuple(segments), stray=stray)


def _decoded(raw: bytes, codec: str) -> str:
    try:
        return raw.decode(codec, errors="surrogateescape")
    except UnicodeError:  # some codecs know no marks
        return raw.decode("ascii", errors="surrogateescape")


def _segments(text: str, head: Header) -> tuple[list[str], int]:
    """The segments, and how many lines belong to none. A line may go on a text (OBX-5, NTE-3) that the line before left open."""
    separator = head.field_separator
    starts = re.compile(rf"[A-Z][A-Z0-9]{{2}}(?:{re.escape(separator)}|$)")
    lines = [line for line in re.split(r"\r\n|\r|\n", text.strip()) if line.strip()]
    lines[0] = separator.join(("MSH", head.separators, *lines[0].split(separator)[2:]))
    segments: list[str] = []
    stray = 0
    for line in lines:
        if starts.match(line.lstrip()):
            segments.append(line.lstrip())
        elif segments[-1].count(separator) == _TEXT.get(segments[-1][:3], -1):
            segments[-1] += "\n" + line
        else:
            stray += 1
    return segments, stray


def _nth(part: Any, index: int) -> Any:
    if isinstance(part, str):
        return part if index == 1 else ""
    return part[index - 1] if index <= len(part) else ""


def unescape(text: str, separators: str, codec: str) -> str:
    """Escape sequences resolved: separators, hexadecimal bytes, line breaks; highlighting and unknown ones vanish.

    (python-hl7 has a function for this, which writes what it cannot read into the log.)
    """
    escape = separators[3] if len(separators) > 3 else "\\"
    if escape not in text:
        return text
    field, component, repetition = separators[0], separators[1], separators[2]
    sub = separators[4] if len(separators) > 4 else "&"
    plain = {"F": field, "S": component, "R": repetition, "E": escape, "T": sub, ".br": "\n", ".sp": "\n"}

    def resolve(match: re.Match[str]) -> str:
        body = match.group(1)
        if body in plain:
            return plain[body]
        if re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", body):
            return _decoded(bytes.fromhex(body[1:]), codec)
        return "\n" if re.fullmatch(r"\.(?:br|sp)\+?\d+", body) else ""

    mark = re.escape(escape)
    return re.sub(rf"{mark}([^{mark}\r\n]{{0,64}}){mark}", resolve, text)


def damaged(*texts: str | None) -> bool:
    """One of them holds bytes that are no text in the message's character set."""
    return any("\ud800" <= one <= "\udfff" for text in texts if text is not None for one in text)
