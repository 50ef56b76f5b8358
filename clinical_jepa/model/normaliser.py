"""Centre and spread of each code and channel, from training patients only; carried by the checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clinical_jepa.records.views import PATCH_CHANNELS, Slice
from clinical_jepa.vocabulary.codes import code_count, codes

IQR = 1.349  # of a standard normal: makes (q75 - q25) / IQR a standard deviation
MAX_PATCHES = 2000  # enough for a channel's centre


@dataclass(frozen=True, kw_only=True)
class Normaliser:
    """Float32: ``center``, ``scale`` by code id; ``channel_center``, ``channel_scale`` by patch channel."""

    center: np.ndarray
    scale: np.ndarray
    channel_center: np.ndarray
    channel_scale: np.ndarray

    def z(self, code: np.ndarray, value: np.ndarray) -> np.ndarray:
        """Robust z of values ``[N]``, float32, NaN where there is no value, clipped to ±8."""
        z: np.ndarray = np.clip((value - self.center[code]) / self.scale[code], -8, 8).astype(np.float32)
        return z


def fit(slices: Iterable[Slice]) -> Normaliser:
    """The normaliser of these stays; a code never seen keeps the middle of its plausible range."""
    center, scale = _plausible()
    values, code = [], []
    patches: list[tuple[np.ndarray, np.ndarray]] = []
    for piece in slices:
        values.append(piece.items.value)
        code.append(piece.items.code)
        if len(piece.patches.time) and sum(len(samples) for samples, _ in patches) < MAX_PATCHES:
            patches.append((piece.patches.samples, piece.patches.present))
    _robust(np.concatenate([*code, np.empty(0, np.int32)]), np.concatenate([*values, np.empty(0)]), center, scale)
    channel_center, channel_scale = _channels(patches)
    return Normaliser(
        center=center.astype(np.float32),
        scale=scale.astype(np.float32),
        channel_center=channel_center,
        channel_scale=channel_scale,
    )


def _plausible() -> tuple[np.ndarray, np.ndarray]:
    center, scale = np.zeros(code_count()), np.ones(code_count())
    for code in codes():
        if code.low is not None and code.high is not None:
            center[code.id], scale[code.id] = (code.low + code.high) / 2, (code.high - code.low) / 4
    return center, scale


def _robust(code: np.ndarray, value: np.ndarray, center: np.ndarray, scale: np.ndarray) -> None:
    finite = np.isfinite(value)
    code, value = code[finite], value[finite].astype(np.float64)
    for known in np.unique(code):
        mine = value[code == known]
        low, middle, high = np.percentile(mine, [25, 50, 75])
        spread = max((high - low) / IQR, 0.1 * mine.std(), 1e-3 * abs(middle))
        center[known], scale[known] = middle, spread or 1.0


def _channels(patches: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    count = len(PATCH_CHANNELS)
    center, scale = np.zeros(count, np.float32), np.ones(count, np.float32)
    for channel in range(count):
        found = [samples[:, channel][present[:, channel] > 0] for samples, present in patches]
        signal = np.concatenate([*found, np.empty(0, np.float32)])
        if len(signal):
            low, middle, high = np.percentile(signal, [5, 50, 95])
            center[channel], scale[channel] = middle, max((high - low) / 3.29, 1e-3)
    return center, scale
