"""The MSH segment alone, read from bytes: before the character set is known, and to answer what cannot be read whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

_KIND = re.compile(r"[A-Z][A-Z0-9]{2}")


@dataclass(frozen=True, kw_only=True)
class Header:
    """``fields[n]`` is MSH-n as written (``fields[1]`` the field separator); ``separators`` is MSH-2, mended."""

    separators: str
    fields: tuple[str, ...]

    @property
    def field_separator(self) -> str:
        """MSH-1."""
        return self.fields[1]

    def field(self, number: int) -> str:
        """MSH-n, or nothing."""
        return self.fields[number].strip() if number < len(self.fields) else ""

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.field(10)

    @property
    def kind(self) -> tuple[str, str] | None:
        """Message type and trigger event, ``("ORU", "R01")``; None where MSH-9 is no message type."""
        parts = self.field(9).split(self.separators[0]) + [""]
        if not _KIND.fullmatch(parts[0]) or not (parts[1] == "" or _KIND.fullmatch(parts[1])):
            return None
        return parts[0], parts[1]


def header(raw: bytes) -> Header | None:
    """The header of a message; None where the bytes begin with none that can be used.

    Read as Latin-1, so that any bytes can. A doubled escape character in MSH-2, as some engines write it, is taken as one.
    """
    line = re.split(rb"[\r\n]", raw, maxsplit=1)[0].decode("latin-1")
    if not line.startswith("MSH") or len(line) < 5:
        return None
    separator = line[3]
    parts = line.split(separator)
    separators = parts[1].replace("\\\\", "\\")
    used = separator + separators
    if not 2 <= len(separators) <= 5 or len(set(used)) < len(used) or any(one.isalnum() or one < "!" for one in used):
        return None
    return Header(separators=separators, fields=(parts[0], separator, *parts[1:]))
