"""Some lines of a source, column by column, each answerable with its original bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import polars as pl

LINE = "·line"  # the place of a row's line in its block, from 0


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some lines of a table. ``frame``: the sound ones as text, lower-case names, blank cells null, and ``LINE``.

    ``ragged`` are the places of lines that have more or fewer cells than the head; ``cut`` the last lines of files, not
    among the others, that end without a line break. ``owners`` says of which file each line is, where they are several.
    """

    frame: pl.DataFrame
    text: bytes = b""
    ragged: tuple[int, ...] = ()
    cut: tuple[bytes, ...] = ()
    owners: tuple[str, ...] = ()
    shown: Callable[[int], bytes] | None = None

    @property
    def count(self) -> int:
        """How many lines there are, sound or not; those that were cut count."""
        return self.frame.height + len(self.ragged) + len(self.cut)

    def line(self, place: int) -> bytes:
        """A line as it stands in the file."""
        return self._lines[place] if self.shown is None else self.shown(place)

    @cached_property
    def _lines(self) -> list[bytes]:
        return split(self.text)


def split(text: bytes) -> list[bytes]:
    """The records of a text, without their line breaks: one inside quotation marks does not end a record."""
    lines = text.split(b"\n")
    if b'"' in text:
        lines = list(_mended(lines))
    return [line.removesuffix(b"\r") for line in lines if line.strip(b"\r")]


def _mended(lines: list[bytes]) -> Iterator[bytes]:
    open_ = b""
    for line in lines:
        whole = open_ + b"\n" + line if open_ else line
        if whole.count(b'"') % 2:
            open_ = whole
            continue
        open_ = b""
        yield whole
    if open_:
        yield open_
