"""Pieces of waveform (at most 60 s, each channel at its own rate) → patches of 10 s at one rate.

Pieces of different channels that start together share their patches. Between two usable samples the value is
interpolated; where a usable neighbour is missing, the patch says so. A piece without a usable sample (a lead that is off)
is as good as none.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from clinical_jepa.records.instant import SECOND
from clinical_jepa.records.views import PATCH_CHANNELS, PATCH_RATE_HZ, PATCH_SAMPLES, Patches
from clinical_jepa.timeline.columns import instants, numbers

_PATCH = 10 * SECOND
_WORTH_KEEPING = PATCH_SAMPLES // 2  # a last patch of 5 s or more is kept


_SHAPE = (0, len(PATCH_CHANNELS), PATCH_SAMPLES)


def _patches(time: np.ndarray, available: np.ndarray, samples: np.ndarray, present: np.ndarray) -> Patches:
    for array in (time, available, samples, present):
        array.flags.writeable = False
    return Patches(time=time, available=available, samples=samples, present=present)


NO_PATCHES = _patches(
    np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(_SHAPE, np.float32), np.zeros(_SHAPE, np.float32)
)


def patches(signals: pa.Table, places: np.ndarray, load: Callable[[str], np.ndarray]) -> Patches:
    """The patches of the pieces at ``places`` of a SIGNALS table, in its order of arrival."""
    if not len(places):
        return NO_PATCHES
    rows = signals.take(places)
    known = np.isin(rows["channel"].to_pylist(), PATCH_CHANNELS) & (numbers(rows, "quality") > 0)
    moments = list(zip(instants(rows, "available_time").tolist(), instants(rows, "time").tolist(), strict=True))
    together: dict[tuple[int, int], list[int]] = {}
    for index in np.flatnonzero(known).tolist():
        together.setdefault(moments[index], []).append(index)
    columns = rows.select(["channel", "rate_hz", "reference"]).to_pylist()
    made = [_joined(moment, [columns[index] for index in group], load) for moment, group in together.items()]
    made = [piece for piece in made if len(piece[0])]
    if not made:
        return NO_PATCHES
    time, available, samples, present = (np.concatenate(parts) for parts in zip(*made, strict=True))
    return _patches(time, available, samples, present)


def _joined(
    moment: tuple[int, int], channels: list[dict[str, object]], load: Callable[[str], np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times, available times, samples and presence of the patches of pieces that start together."""
    available, time = moment
    read = [(str(row["channel"]), *resampled(load(str(row["reference"])), float(row["rate_hz"]))) for row in channels]  # type: ignore[arg-type]
    length = max(len(values) for _, values, _ in read)
    count = length // PATCH_SAMPLES + (length % PATCH_SAMPLES >= _WORTH_KEEPING)
    samples = np.zeros((len(PATCH_CHANNELS), count * PATCH_SAMPLES), np.float32)
    present = np.zeros_like(samples)
    for channel, values, usable in read:
        row, end = PATCH_CHANNELS.index(channel), min(len(values), count * PATCH_SAMPLES)
        samples[row, :end], present[row, :end] = values[:end], usable[:end]
    times = time + _PATCH * np.arange(count, dtype=np.int64)
    return times, np.full(count, available, np.int64), _cut(samples, count), _cut(present, count)


def _cut(track: np.ndarray, count: int) -> np.ndarray:
    return np.ascontiguousarray(track.reshape(len(PATCH_CHANNELS), count, PATCH_SAMPLES).swapaxes(0, 1))


def resampled(samples: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """``(values, present)`` at ``PATCH_RATE_HZ``, float32; linear between usable neighbours, 0 and absent elsewhere."""
    count = round(len(samples) * PATCH_RATE_HZ / rate_hz)
    at = np.arange(count) * (rate_hz / PATCH_RATE_HZ)
    usable = np.isfinite(samples)
    left = np.minimum(at.astype(np.int64), len(samples) - 1)
    right = np.minimum(left + 1, len(samples) - 1)
    share = at - left
    clean = np.where(usable, samples, 0)
    present = usable[left] & (usable[right] | (share == 0))
    values = np.where(present, clean[left] * (1 - share) + clean[right] * share, 0)
    return values.astype(np.float32), present.astype(np.float32)
