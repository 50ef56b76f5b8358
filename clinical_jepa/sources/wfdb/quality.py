"""How much of a piece can be used, and the main reason where that is not all of it."""

from __future__ import annotations

import numpy as np

FLAT_SECONDS = 3.0  # no living channel repeats one value exactly for so long
RAIL_SECONDS = 1.0  # at the piece's own extreme a shorter run already means a clipped amplifier
GOOD = 0.99


def quality(samples: np.ndarray, rate_hz: float, channel: str, limits: tuple[float, float]) -> tuple[float, str | None]:
    """``(share of usable samples, reason)`` of float ``[n]``; the reason is None from a share of 0.99 on.

    Reasons: ``missing`` (NaN), ``out-of-range`` (outside the channel's physical limits), ``saturated`` (a run at the
    piece's own extreme), ``lead-off`` (a constant ECG), ``flat`` (another constant channel).
    """
    finite = np.isfinite(samples)
    outside = finite & ((samples < limits[0]) | (samples > limits[1]))
    still, rail = _constant(samples, finite, rate_hz)
    bad = {
        "missing": ~finite,
        "out-of-range": outside,
        "saturated": rail & ~outside,
        "lead-off" if channel.startswith("ECG") else "flat": still & ~rail & ~outside,
    }
    counts = {reason: int(mask.sum()) for reason, mask in bad.items()}
    share = 1.0 - sum(counts.values()) / max(len(samples), 1)
    reason = max(counts, key=lambda name: counts[name])
    return share, None if share >= GOOD else reason


def _constant(samples: np.ndarray, finite: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Masks of samples in long runs of one value, and of those that lie at an extreme of a piece that does vary."""
    changes = np.flatnonzero(samples[1:] != samples[:-1]) + 1  # NaN differs from NaN: its runs have length 1
    starts = np.concatenate([[0], changes])
    lengths = np.diff(np.concatenate([starts, [len(samples)]]))
    run = np.repeat(lengths, lengths)
    still = finite & (run >= FLAT_SECONDS * rate_hz)
    low, high = (np.nanmin(samples), np.nanmax(samples)) if finite.any() else (0.0, 0.0)
    if low == high:
        return still, np.zeros_like(still)
    return still, finite & (run >= RAIL_SECONDS * rate_hz) & ((samples == low) | (samples == high))
