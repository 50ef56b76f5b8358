"""A file as messages: one or many, in batch and file envelopes (FHS, BHS … BTS, FTS), or a dump of an MLLP line.

Segments end with CR by the standard; LF and CRLF, which editors make of it, are taken too. A file is read in pieces, so that
the largest batch needs the memory of its largest message.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from clinical_jepa.sources.hl7v2.frames import START, Framer

CHUNK = 1 << 20

_ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)")
_BOM = b"\xef\xbb\xbf"
_LONGEST = 1 << 30  # bytes of one message in a dump


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One message as it lies in its file, or, with ``problem``, a stretch that is none (``raw`` empty: see the file)."""

    record: str
    raw: bytes
    problem: str = ""


def pieces(file: BinaryIO | bytes) -> Iterator[Piece]:
    """Every message of a file in order, and every stretch or trailer that cannot stand as it is."""
    source = io.BytesIO(file) if isinstance(file, bytes) else file
    first = source.read(CHUNK).removeprefix(_BOM)
    chunks = _chunks(first, source)
    if START not in first:
        yield from _Split().run(_lines(chunks))
        return
    framer, split = Framer(limit=_LONGEST), _Split()
    for chunk in chunks:
        for one in framer.feed(chunk):
            yield from split.run(_lines([one.content]))
    if framer.outside or framer.within:
        problem = "bytes outside of MLLP frames, or a frame without an end: the dump is damaged or was cut"
        yield Piece(record="outside frames", raw=b"", problem=problem)


def _chunks(first: bytes, source: BinaryIO) -> Iterator[bytes]:
    yield first
    while chunk := source.read(CHUNK):
        yield chunk


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with their ends, wherever the chunks were cut."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        end = 0
        for match in _LINE.finditer(rest):
            if match.end() == len(rest) and rest.endswith(b"\r"):
                break  # its LF may follow
            end = match.end()
            yield match.group()
        rest = rest[end:]
    if rest:
        yield rest


@dataclass(kw_only=True)
class _Split:
    """Cuts segments into messages and holds the counts of trailers against what came."""

    number: int = 0  # messages so far, headless ones included
    batches: int = 0
    in_batch: int = 0  # messages since the batch began
    held: list[bytes] = field(default_factory=list)  # lines of the message under way
    headed: bool = False

    def run(self, lines: Iterable[bytes]) -> Iterator[Piece]:
        """The messages of a file, or of one frame."""
        for line in lines:
            tag = line.lstrip()[:3]
            if tag == b"MSH" or tag in _ENVELOPE:
                yield from self._end()
            if tag in _ENVELOPE:
                yield from self._envelope(tag, line.strip())
            elif self.held or line.strip():
                self.headed = self.headed or tag == b"MSH"
                self.held.append(line)
        yield from self._end()

    def _end(self) -> Iterator[Piece]:
        if not self.held:
            return
        self.number += 1
        self.in_batch += 1
        problem = "" if self.headed else "segments without a message header (MSH) before them"
        yield Piece(record=f"message {self.number}", raw=b"".join(self.held), problem=problem)
        self.held.clear()
        self.headed = False

    def _envelope(self, tag: bytes, line: bytes) -> Iterator[Piece]:
        match tag:
            case b"FHS":
                self.batches = self.in_batch = 0
            case b"BHS":
                self.batches += 1
                self.in_batch = 0
            case b"BTS":
                yield from _count(line, self.in_batch, "messages", f"batch {max(1, self.batches)}")
                self.in_batch = 0
            case b"FTS":
                yield from _count(line, max(1, self.batches), "batches", "file")


def _count(line: bytes, came: int, what: str, record: str) -> Iterator[Piece]:
    told = b"".join(line[3:].split(line[3:4] or b"|")[1:2]).strip()
    if told.isdigit() and len(told) < 12 and int(told) != came:
        problem = (
            f"the trailer counts {int(told)} {what} and {came} came: ask the sender for the whole; what came is taken"
        )
        yield Piece(record=f"trailer of {record}", raw=line, problem=problem)
