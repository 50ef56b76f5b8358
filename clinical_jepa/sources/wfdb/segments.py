"""The samples of one segment, window by window, after the segment has passed its own check.

A segment is taken whole or not at all: its data files must be there, as long as the header says, and its 16-bit sums
must be those of the header. Windows begin and end on the record's minutes, so that no piece is cut by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from clinical_jepa.sources.wfdb import header as headers
from clinical_jepa.sources.wfdb import windows
from clinical_jepa.sources.wfdb.header import Header
from clinical_jepa.sources.wfdb.record import Span, TopRecord

MOST_SAMPLES = 4_000_000  # of all signals in one window
Ints = list[np.ndarray | None]


class BadSegment(Exception):
    """Why nothing of a segment can be used, in words for a person."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One signal of a window: float32 physical values, NaN where the format says "no value".

    ``problem`` says why all of them are NaN, where the header is to blame.
    """

    name: str
    unit: str
    per_frame: int
    samples: np.ndarray
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """``frames`` frames of a record from frame ``start`` on, all signals that have a file."""

    start: int
    frames: int
    traces: tuple[Trace, ...]


def minute_frames(record: TopRecord) -> int:
    """Whole frames in a minute of the record: none of its pieces is longer than 60 s."""
    return max(1, int(60 * record.rate_hz))


def fragments(record: TopRecord, span: Span) -> Iterator[Fragment]:
    """The windows of a segment in order; ``BadSegment`` before the first one where it fails its check."""
    try:
        header, total = _opened(record, span)
        if not header.files:
            return  # a null segment: a gap with a name
        if total == 0:
            raise BadSegment("its header gives no length, and its data files hold not even one frame")
        cuts = _cuts(record, span, header, total)
        ints = _verified(header, cuts)
        for first, last in cuts:
            part = windows.digital(header, first, last) if ints is None else ints
            yield _fragment(header, total, part, (span.start + first, last - first))
    except BadSegment:
        raise
    except FileNotFoundError as error:
        raise BadSegment("its header or data file is absent") from error
    except headers.BadHeader as error:
        raise BadSegment(f"its header cannot be read: {error}") from error
    except Exception as error:  # damaged data leaves the decoders as ValueError, OSError, LibsndfileError, …
        raise BadSegment(f"its data cannot be read as its header says ({_words(error)})") from error


def _words(error: Exception) -> str:
    return str(error) if type(error) is ValueError else type(error).__name__


def _opened(record: TopRecord, span: Span) -> tuple[Header, int]:
    header = record.header if span.path == record.path else headers.load(span.path)
    if header.master:
        raise BadSegment("it is a record of segments itself")
    if abs(header.rate_hz / record.rate_hz - 1) > 1e-6:
        raise BadSegment("its rate is not that of its record")
    if header.frames is not None and span.frames not in (None, header.frames):
        raise BadSegment("its length is not what its record says")
    return header, windows.frames(header) if span.frames is None else span.frames


def _cuts(record: TopRecord, span: Span, header: Header, total: int) -> list[tuple[int, int]]:
    """First and last frame of each window, on the record's minutes; one window where the format allows no other."""
    if any(signal.format == 8 for signal in header.signals):
        return [(0, total)]
    minute = minute_frames(record)
    width = sum(signal.per_frame for signal in header.signals)
    step = minute * max(1, MOST_SAMPLES // (minute * width))
    begin = span.start - span.start % step
    edges = [max(0, edge - span.start) for edge in range(begin, span.start + total, step)]
    return [(first, last) for first, last in zip(edges, [*edges[1:], total], strict=True) if first < last]


def _verified(header: Header, cuts: list[tuple[int, int]]) -> Ints | None:
    """The samples of a segment that is one window without skew, else None, after comparing its sums."""
    sums = [0] * len(header.signals)
    stored: Ints = []
    for first, last in cuts:
        stored = windows.digital(header, first, last, aligned=False)
        sums = [
            have + (0 if ints is None else int(ints.sum(dtype=np.int64)))
            for have, ints in zip(sums, stored, strict=True)
        ]
    for signal, have in zip(header.signals, sums, strict=True):
        if signal.checksum == 0 and header.frames is None:
            continue  # a record that grows: nobody has added it up yet
        if signal.format and signal.checksum is not None and (have - signal.checksum) % 65536:
            raise BadSegment("its samples do not add up to the header's checksum")
    return stored if len(cuts) == 1 and not any(signal.skew for signal in header.signals) else None


def _fragment(header: Header, total: int, part: Ints, where: tuple[int, int]) -> Fragment:
    traces = tuple(
        Trace(
            name=signal.name,
            unit=signal.units,
            per_frame=signal.per_frame,
            samples=windows.physical(signal, ints),
            problem=windows.worthless(signal, total),
        )
        for signal, ints in zip(header.signals, part, strict=True)
        if ints is not None
    )
    return Fragment(start=where[0], frames=where[1], traces=traces)
