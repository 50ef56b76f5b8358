"""Fragments of a record → signal pieces of at most 60 s a channel.

The grid is the record's own: a piece lies within one minute of it (whole frames, so that none is longer than 60 s) and
within one segment. So no piece depends on what comes after it, and a record that grows only adds pieces.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from clinical_jepa.records.batch import SignalPiece
from clinical_jepa.records.instant import SECOND
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.wfdb.mapping import Target, ucum, waveform
from clinical_jepa.sources.wfdb.quality import quality
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
    out = []
    for found, trace in sorted(known, key=lambda pair: (pair[0].target, pair[0].rank)):
        samples = canonical(trace, found)
        if samples is None or not np.isfinite(samples).any():
            continue
        unit = found.unit or ucum(trace.unit) or "1"
        what = (_channel(found, taken), unit, found)
        out.append(_piece(record, context, what, (minute.start, trace.per_frame), samples))
    return out


def _channel(found: Target, taken: Counter[str]) -> str:
    """A channel of its own for each signal of a minute, also where two have one name (``ECG//V#2``)."""
    channel = f"{found.target}//{found.name}" if taken[found.target] and found.name else found.target
    taken[found.target] += 1
    if channel == found.target and taken[channel] == 1:
        return channel
    taken[channel] += channel != found.target
    return f"{channel}#{taken[channel]}" if taken[channel] > 1 else channel


def canonical(trace: Trace, found: Target) -> np.ndarray | None:
    """The samples in the channel's unit, or None where the file's unit has no certain conversion to it."""
    if found.unit is None:
        return trace.samples
    factors = conversion(ucum(trace.unit) or "", found.unit)
    if factors is None:
        return None
    return trace.samples if factors == (1.0, 0.0) else (trace.samples * factors[0] + factors[1]).astype(np.float32)


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
        source=record.source(SOURCE),
        event_id=content_id(subject, channel, time, rate, digest),
    )
