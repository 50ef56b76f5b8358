"""Windows of a single-segment record, at the cost of the window and not of the record.

Values are those of ``wfdb.rdrecord(physical=True, smooth_frames=False)`` rounded to float32, bit by bit: the scaling is
done in float64, a cache's worth of samples at a time. Unlike that library, format 8 is right in any window, all samples
of a skewed frame past the file's end are missing, and a file that is shorter than its header is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clinical_jepa.sources.wfdb import flac, formats
from clinical_jepa.sources.wfdb.header import Header, Signal

CHUNK = 1 << 14  # samples scaled at once: float64, within a core's cache
_FULL_SCALES = (1e-30, 1e30)  # between which float32 holds samples, before and after any conversion of units


def frames(header: Header) -> int:
    """The record's length: the header's own, else what all its files hold in whole frames."""
    if header.frames is not None or not header.files:
        return header.frames or 0
    lengths = []
    for name, places in header.files.items():
        lead, width = _layout(header, places)
        channels = len(places)
        held = formats.length(header.path.with_name(name), lead.format, lead.offset, channels)
        lengths.append(held // (width if lead.format in formats.FORMATS else channels * lead.per_frame))
    return min(lengths)


def read(header: Header, first: int, last: int) -> list[np.ndarray]:
    """Frames ``[first, last)`` of every signal, float32 physical values, NaN for "no value".

    Signals without a file (format 0) are NaN. ``ValueError`` or ``OSError`` where a file is short, damaged or absent.
    """
    return [
        np.full((last - first) * signal.per_frame, np.nan, np.float32) if ints is None else physical(signal, ints)
        for signal, ints in zip(header.signals, digital(header, first, last), strict=True)
    ]


def worthless(signal: Signal, total: int) -> str:
    """Why no sample of a signal of a record of ``total`` frames can be had, in words for a person; "" where some can."""
    if signal.skew >= total:
        return f"its skew of {signal.skew} frames leaves nothing of its {total}"
    if signal.gain == 0:
        return "its gain is so small that no number holds it"
    return "" if _scaled(signal) else f"its gain of {signal.gain:g} makes samples beyond what a number can hold"


def _scaled(signal: Signal) -> bool:
    largest = -float(formats.MISSING[signal.format]) + abs(signal.baseline)
    return signal.gain != 0 and _FULL_SCALES[0] <= largest / abs(signal.gain) <= _FULL_SCALES[1]


def physical(signal: Signal, ints: np.ndarray) -> np.ndarray:
    """Digital samples in the signal's unit, float32; all NaN where its gain is none that a signal can have."""
    if not _scaled(signal):
        return np.full(len(ints), np.nan, np.float32)
    missing = formats.MISSING[signal.format]
    out = np.empty(len(ints), np.float32)
    buffer = np.empty(min(len(ints), CHUNK))
    for start in range(0, len(ints), CHUNK):
        part = ints[start : start + CHUNK]
        values = np.subtract(part, signal.baseline, out=buffer[: len(part)], dtype=np.float64)
        values /= signal.gain
        if (gone := part == missing).any():
            values[gone] = np.nan
        out[start : start + CHUNK] = values
    return out


def digital(header: Header, first: int, last: int, *, aligned: bool = True) -> list[np.ndarray | None]:
    """Frames ``[first, last)`` of every signal as integers, None for a signal without a file.

    ``aligned`` undoes the skew; without it the samples are those of the header's checksum.
    """
    total = frames(header)
    if not 0 <= first <= last <= total:
        raise ValueError(f"frames {first} to {last} do not lie in a record of {total}")
    found: list[np.ndarray | None] = [None] * len(header.signals)
    for name, places in header.files.items():
        _layout(header, places)
        signals = [header.signals[place] for place in places]
        skew = max(signal.skew for signal in signals) if aligned else 0
        block = _frames_of(header.path.with_name(name), signals, first, min(last + skew, total))
        for place, signal, samples in zip(places, signals, block, strict=True):
            found[place] = _shifted(signal, samples, last - first) if skew else samples
    return found


def _layout(header: Header, places: Sequence[int]) -> tuple[Signal, int]:
    """The first signal of a file, which stands for all, and the samples of one frame of it."""
    signals = [header.signals[place] for place in places]
    lead = signals[0]
    if lead.format not in formats.MISSING or any(signal.format != lead.format for signal in signals):
        raise ValueError("its signals are in no format that is known")
    return lead, sum(signal.per_frame for signal in signals)


def _frames_of(path: Path, signals: Sequence[Signal], first: int, last: int) -> list[np.ndarray]:
    """Frames of one file, one array of samples a signal."""
    lead = signals[0]
    if lead.format not in formats.FORMATS:
        start, end = (frame * lead.per_frame + lead.offset for frame in (first, last))
        return list(flac.stretch(path, lead.format - 500, len(signals), start, end).T)
    width = sum(signal.per_frame for signal in signals)
    start = 0 if lead.format == 8 else first
    flat = formats.stretch(path, lead.format, lead.offset, start * width, last * width).reshape(-1, width)
    out, column = [], 0
    for signal in signals:
        samples = flat[:, column : column + signal.per_frame].reshape(-1)
        if lead.format == 8:
            samples = (np.cumsum(samples, dtype=np.int32) + signal.first)[first * signal.per_frame :]
        out.append(samples)
        column += signal.per_frame
    return out


def _shifted(signal: Signal, samples: np.ndarray, count: int) -> np.ndarray:
    """``count`` frames from the signal's skew on; frames past the file's end are "no value"."""
    wanted = samples[signal.skew * signal.per_frame :][: count * signal.per_frame]
    lacking = count * signal.per_frame - len(wanted)
    if not lacking:
        return wanted
    return np.concatenate([wanted, np.full(lacking, formats.MISSING[signal.format], wanted.dtype)])
