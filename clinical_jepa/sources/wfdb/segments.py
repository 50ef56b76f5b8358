"""The samples of one segment, window by window, after the segment has passed its own check.

A segment is taken whole or not at all: its data file must be there, as long as the header says, and its 16-bit sums
must be those of the header. wfdb reads fixed-layout records with gaps or absent segments not at all, so records are
read segment by segment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from clinical_jepa.sources.wfdb.record import Span, TopRecord

WINDOW_SECONDS = 1800
WINDOW_FRAMES = 10_000  # at least: a numerics record has one frame a minute


class BadSegment(Exception):
    """Why nothing of a segment can be used, in words for a person."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One signal of a window: float32 physical values, NaN where the format says "no value"."""

    name: str
    unit: str
    per_frame: int
    samples: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """``frames`` frames of a record from frame ``start`` on, all signals."""

    start: int
    frames: int
    traces: tuple[Trace, ...]


def fragments(record: TopRecord, span: Span) -> Iterator[Fragment]:
    """The windows of a segment in order; ``BadSegment`` before the first one where it fails its check."""
    window = max(WINDOW_FRAMES, int(WINDOW_SECONDS * record.rate_hz))
    try:
        whole, frames = _verified(span, record.rate_hz, window)
        if whole is not None:
            yield _fragment(whole, span.start, whole.dac(expanded=True))
            return
        for first in range(0, frames, window):
            part = _read(span, first, min(first + window, frames), physical=True)
            yield _fragment(part, span.start + first, part.e_p_signal)
    except BadSegment:
        raise
    except FileNotFoundError as error:
        raise BadSegment("its header or data file is absent") from error
    except Exception as error:  # truncated or damaged data leaves wfdb as ValueError, IndexError, LibsndfileError, …
        raise BadSegment(f"its data cannot be read as its header says ({type(error).__name__})") from error


def _verified(span: Span, rate_hz: float, window: int) -> tuple[Any | None, int]:
    """``(the digital record if it is one window without skew, its frames)``, after comparing rate and sums."""
    import wfdb

    frames = span.frames
    header = None
    if frames is None or frames > window:
        header = wfdb.rdheader(str(span.path.with_suffix("")))
        frames = frames or header.sig_len or _read(span, 0, None, physical=False).sig_len
    sums: list[int] = []
    for first in range(0, frames, window):
        part = _read(span, first, min(first + window, frames), physical=False)
        if abs(part.fs / rate_hz - 1) > 1e-6:
            raise BadSegment("its rate is not that of its record")
        added = [int(signal.sum(dtype=np.int64)) for signal in part.e_d_signal]
        sums = [a + b for a, b in zip(sums or [0] * len(added), added, strict=True)]
    expected = (header or part).checksum  # a full read keeps the header's sums, a partial one computes its own
    if any(want is not None and (have - int(want)) % 65536 for have, want in zip(sums, expected, strict=True)):
        raise BadSegment("its samples do not add up to the header's checksum")
    skewed = any(part.skew or ())
    return (part if frames <= window and not skewed else None), frames


def _read(span: Span, first: int, last: int | None, *, physical: bool) -> Any:
    import wfdb

    return wfdb.rdrecord(
        str(span.path.with_suffix("")),
        sampfrom=first,
        sampto=last,
        physical=physical,
        smooth_frames=False,
        ignore_skew=not physical,  # the header's sums are those of the samples as stored
        return_res=64 if physical else 32,
    )


def _fragment(part: Any, start: int, signals: list[np.ndarray]) -> Fragment:
    traces = tuple(
        Trace(name=name or "", unit=unit or "", per_frame=per_frame, samples=signal.astype(np.float32))
        for name, unit, per_frame, signal in zip(part.sig_name, part.units, part.samps_per_frame, signals, strict=True)
    )
    frames = len(signals[0]) // traces[0].per_frame if traces else 0
    return Fragment(start=start, frames=frames, traces=traces)
