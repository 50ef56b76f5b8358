"""A file as messages: one or many, in batch and file envelopes (FHS, BHS … BTS, FTS), or a dump of an MLLP line.

Segments end with CR by the standard; LF and CRLF, which editors make of it, are taken too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from clinical_jepa.sources.hl7v2.frames import START, Framer

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|$)")
_ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One message as it lies in its file, or, with ``problem``, a stretch that is none."""

    record: str
    raw: bytes
    problem: str = ""


def pieces(raw: bytes) -> Iterator[Piece]:
    """Every message of a file in order, and every stretch or trailer that cannot stand as it is."""
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if START not in raw:
        yield from _Split().run(raw)
        return
    framer = Framer(limit=len(raw))
    split = _Split()
    for one in framer.feed(raw):
        yield from split.run(one.content)
    if framer.outside or framer.within:
        problem = "bytes outside of MLLP frames, or a frame without an end: the dump is damaged or was cut"
        yield Piece(record="outside frames", raw=raw, problem=problem)


@dataclass(kw_only=True)
class _Split:
    """Cuts segments into messages and holds the counts of trailers against what came."""

    number: int = 0  # messages so far, headless ones included
    batches: int = 0
    in_batch: int = 0  # messages since the batch began
    problems: list[Piece] = field(default_factory=list)

    def run(self, raw: bytes) -> Iterator[Piece]:
        start, begun, headed = 0, False, False
        for match in _LINE.finditer(raw):
            line = match.group().strip()
            tag = line[:3]
            if tag != b"MSH" and tag not in _ENVELOPE:
                if line and not begun:  # segments without a header
                    start, begun, headed = match.start(), True, False
                continue
            if begun:
                yield self._piece(raw[start : match.start()], headed)
            start, begun, headed = match.start(), tag == b"MSH", True
            if tag in _ENVELOPE:
                self._envelope(tag, line)
                yield from self.problems
                self.problems.clear()
        if begun:
            yield self._piece(raw[start:], headed)

    def _piece(self, raw: bytes, headed: bool) -> Piece:
        self.number += 1
        self.in_batch += 1
        problem = "" if headed else "segments without a message header (MSH) before them"
        return Piece(record=f"message {self.number}", raw=raw, problem=problem)

    def _envelope(self, tag: bytes, line: bytes) -> None:
        match tag:
            case b"FHS":
                self.batches = self.in_batch = 0
            case b"BHS":
                self.batches += 1
                self.in_batch = 0
            case b"BTS":
                self._check(line, self.in_batch, "messages", f"batch {max(1, self.batches)}")
                self.in_batch = 0
            case b"FTS":
                self._check(line, max(1, self.batches), "batches", "file")

    def _check(self, line: bytes, came: int, what: str, record: str) -> None:
        told = line[3:].split(line[3:4] or b"|")[1:2]
        if not told or not told[0].strip().isdigit() or int(told[0]) == came:
            return
        problem = f"the trailer counts {int(told[0])} {what} and {came} came: ask the sender for the whole; what came is taken"
        self.problems.append(Piece(record=f"trailer of {record}", raw=line, problem=problem))
