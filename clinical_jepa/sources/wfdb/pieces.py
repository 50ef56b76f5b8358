"""Fragments of a record → signal pieces of at most 60 s a channel.

The grid is the record's own: piece k holds the frames of its k-th minute (whole frames, so that none is longer than
60 s). Segments that meet inside a minute become one piece with NaN between them; a piece ends where recording ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from clinical_jepa.records.batch import SignalPiece
from clinical_jepa.records.instant import SECOND
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.wfdb.mapping import Target, target, ucum
from clinical_jepa.sources.wfdb.quality import quality
from clinical_jepa.sources.wfdb.record import TopRecord
from clinical_jepa.sources.wfdb.segments import Fragment, Trace
from clinical_jepa.vocabulary.identity import content_id
from clinical_jepa.vocabulary.units import conversion

if TYPE_CHECKING:
    from clinical_jepa.sources.context import ReadContext

SOURCE = "wfdb:waveforms"


def minutes(record: TopRecord, parts: Iterable[Fragment]) -> Iterator[tuple[Fragment, ...]]:
    """The fragments cut at the record's minutes and grouped by minute; ``parts`` come in order."""
    length = max(1, int(60 * record.rate_hz))
    pending: list[Fragment] = []
    for part in parts:
        for first in range(part.start - part.start % length, part.start + part.frames, length):
            cut = _cut(part, max(first, part.start), min(first + length, part.start + part.frames))
            if pending and pending[0].start // length != cut.start // length:
                yield tuple(pending)
                pending = []
            pending.append(cut)
    if pending:
        yield tuple(pending)


def _cut(part: Fragment, first: int, last: int) -> Fragment:
    traces = tuple(
        Trace(
            name=trace.name,
            unit=trace.unit,
            per_frame=trace.per_frame,
            samples=trace.samples[(first - part.start) * trace.per_frame : (last - part.start) * trace.per_frame],
        )
        for trace in part.traces
    )
    return Fragment(start=first, frames=last - first, traces=traces)


def pieces(record: TopRecord, minute: tuple[Fragment, ...], context: ReadContext) -> list[SignalPiece]:
    """The pieces of one minute. The best-ranked lead with a value is ``ECG``, a further one ``ECG//<name>``."""
    first = minute[0].start
    frames = minute[-1].start + minute[-1].frames - first
    joined = [_join(minute, first, frames, *signal) for signal in _signals(minute)]
    known = [(found, trace) for trace in joined if (found := target("signal", trace.name)) is not None]
    taken: set[str] = set()
    out = []
    for found, trace in sorted(known, key=lambda pair: (pair[0].target, pair[0].rank)):
        samples = canonical(trace, found)
        if samples is None or not np.isfinite(samples).any():
            continue
        channel = found.target if found.target not in taken else f"{found.target}//{found.name}"
        taken.add(found.target)
        unit = found.unit or ucum(trace.unit) or "1"
        out.append(_piece(record, context, (channel, unit, found), (first, trace.per_frame), samples))
    return out


def canonical(trace: Trace, found: Target) -> np.ndarray | None:
    """The samples in the channel's unit, or None where the file's unit has no certain conversion to it."""
    if found.unit is None:
        return trace.samples
    factors = conversion(ucum(trace.unit) or "", found.unit)
    if factors is None:
        return None
    return trace.samples if factors == (1.0, 0.0) else (trace.samples * factors[0] + factors[1]).astype(np.float32)


def _signals(minute: tuple[Fragment, ...]) -> list[tuple[str, str, int]]:
    return list(dict.fromkeys((trace.name, trace.unit, trace.per_frame) for part in minute for trace in part.traces))


def _join(minute: tuple[Fragment, ...], first: int, frames: int, name: str, unit: str, per_frame: int) -> Trace:
    samples = np.full(frames * per_frame, np.nan, np.float32)
    for part in minute:
        for trace in part.traces:
            if (trace.name, trace.unit, trace.per_frame) == (name, unit, per_frame):
                offset = (part.start - first) * per_frame
                samples[offset : offset + len(trace.samples)] = trace.samples
    return Trace(name=name, unit=unit, per_frame=per_frame, samples=samples)


def _piece(
    record: TopRecord,
    context: ReadContext,
    what: tuple[str, str, Target],
    where: tuple[int, int],
    samples: np.ndarray,
) -> SignalPiece:
    channel, unit, found = what
    first, per_frame = where
    rate = record.rate_hz * per_frame
    time = record.instant(first)
    end = time + min(round(len(samples) * SECOND / rate), 60 * SECOND)
    available, basis = availability(end, delay=context.delays["monitor"])
    share, reason = quality(samples, rate, channel, (found.low, found.high))
    subject = record.identity.subject_id
    digest = hashlib.blake2b(samples.tobytes(), digest_size=16).hexdigest()
    return SignalPiece(
        subject_id=subject,
        channel=channel,
        time=time,
        available_time=available,
        available_basis=basis,
        rate_hz=rate,
        unit=unit,
        quality=share,
        quality_reason=reason,
        samples=samples,
        source=SOURCE,
        event_id=content_id(subject, channel, time, rate, digest),
    )
