"""Fragments of a record → signal pieces of at most 60 s a channel.

The grid is the record's own: a piece lies within one minute of it (whole frames, so that none is longer than 60 s) and
within one segment. So no piece depends on what comes after it, and a record that grows only adds pieces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from clinical_jepa.records.batch import SignalPiece
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.signals import pieces as signals
from clinical_jepa.sources.signals.pieces import Recording, channel_name
from clinical_jepa.sources.wfdb.mapping import Target, ucum, waveform
from clinical_jepa.sources.wfdb.record import TopRecord
from clinical_jepa.sources.wfdb.segments import Fragment, Trace, minute_frames
from clinical_jepa.vocabulary.identity import content_id
from clinical_jepa.vocabulary.units import conversion

if TYPE_CHECKING:
    from clinical_jepa.sources.context import ReadContext

SOURCE = "wfdb:waveforms"


def minutes(record: TopRecord, parts: Iterable[Fragment]) -> Iterator[Fragment]:
    """The fragments cut at the record's minutes, in order."""
    length = minute_frames(record)
    for part in parts:
        for first in range(part.start - part.start % length, part.start + part.frames, length):
            yield _cut(part, max(first, part.start), min(first + length, part.start + part.frames))


def _cut(part: Fragment, first: int, last: int) -> Fragment:
    traces = tuple(
        replace(
            trace,
            samples=trace.samples[(first - part.start) * trace.per_frame : (last - part.start) * trace.per_frame],
        )
        for trace in part.traces
    )
    return Fragment(start=first, frames=last - first, traces=traces)


def pieces(record: TopRecord, minute: Fragment, context: ReadContext) -> list[SignalPiece]:
    """The pieces of one minute. The best-ranked lead with a value is ``ECG``, a further one ``ECG//<name>``."""
    known = [(found, trace) for trace in minute.traces if (found := waveform(trace.name)) is not None]
    taken: Counter[str] = Counter()
    out: list[SignalPiece] = []
    for found, trace in sorted(known, key=lambda pair: (pair[0].target, pair[0].rank)):
        samples = canonical(trace, found)
        if samples is None or not np.isfinite(samples).any():
            continue
        recording = Recording(
            subject_id=record.identity.subject_id,
            channel=channel_name(found.target, found.name, taken),
            unit=found.unit or ucum(trace.unit) or "1",
            limits=(found.low, found.high),
            time=record.own(record.instant(minute.start)),
            rate_hz=record.rate_hz * trace.per_frame,
            samples=samples,
            source=record.source(SOURCE),
        )
        cut = signals.pieces(recording, lambda end: availability(end, delay=context.delays["monitor"]))
        out += cut if record.offset == 0 else (_moved(one, record) for one in cut)
    return out


def _moved(piece: SignalPiece, record: TopRecord) -> SignalPiece:
    """The piece at its true time: a version of the fact that the piece is by the monitor's own clock."""
    return replace(
        piece,
        time=piece.time + record.offset,
        available_time=piece.available_time + record.offset,
        source=record.column(SOURCE),
        event_id=content_id(piece.event_id, record.offset),
        fact_id=piece.event_id,
    )


def canonical(trace: Trace, found: Target) -> np.ndarray | None:
    """The samples in the channel's unit, or None where the file's unit has no certain conversion to it."""
    if found.unit is None:
        return trace.samples
    factors = conversion(ucum(trace.unit) or "", found.unit)
    if factors is None:
        return None
    return trace.samples if factors == (1.0, 0.0) else (trace.samples * factors[0] + factors[1]).astype(np.float32)
