"""How much of a piece can be used, and the main reason where that is not all of it.

Noise of an ECG is told by two closed forms of Li, Mark and Clifford (Robust heart rate estimation from multiple
asynchronous noisy sources using signal quality indices and a Kalman filter, Physiological Measurement 29, 2008): the share
of the power of 5 to 50 Hz that lies in 5 to 14 Hz, where QRS complexes have theirs, and the kurtosis, which is high for
sharp beats on a quiet line and 3 for noise. A stretch of 10 s counts as noise only where both are those of noise, most of
its power lies above 5 Hz, and its spread is more than a quiet line's: neither an asystole nor a slow wide rhythm is noise.
"""

from __future__ import annotations

import numpy as np

FLAT_SECONDS = 3.0  # no living channel repeats one value exactly for so long
RAIL_SECONDS = 1.0  # at the piece's own extreme a shorter run already means a clipped amplifier
GOOD = 0.99
NOISE_SECONDS = 10.0
NOISE_POWER = 0.30  # white noise has 0.2; of the clean stretches of the public sets at hand 1% have less than 0.36
NOISE_KURTOSIS = 4.0
NOISE_SPREAD = 0.05  # mV, standard deviation; a line without beats stays below
LOWEST_RATE = 100.0  # Hz: below, 50 Hz is not in the signal


def quality(samples: np.ndarray, rate_hz: float, channel: str, limits: tuple[float, float]) -> tuple[float, str | None]:
    """``(share of usable samples, reason)`` of float ``[n]``; the reason is None from a share of 0.99 on.

    Reasons: ``missing`` (NaN), ``out-of-range`` (outside the channel's physical limits), ``saturated`` (a run at the
    piece's own extreme), ``lead-off`` (an ECG that stands still for 3 s, at the extreme or elsewhere), ``flat`` (another
    constant channel), ``noise`` (an ECG without beats above its noise).
    """
    finite = np.isfinite(samples)
    outside = finite & ((samples < limits[0]) | (samples > limits[1]))
    still, rail = _constant(samples, finite, rate_hz)
    ecg = channel == "ECG" or channel.startswith("ECG//")
    rail &= ~(still & ecg)
    bad = {
        "missing": ~finite,
        "out-of-range": outside,
        "saturated": rail & ~outside,
        "lead-off" if ecg else "flat": still & ~rail & ~outside,
    }
    if ecg and rate_hz >= LOWEST_RATE:
        bad["noise"] = _noise(samples, rate_hz) & ~outside & ~still & ~rail
    counts = {reason: int(mask.sum()) for reason, mask in bad.items()}
    share = 1.0 - sum(counts.values()) / max(len(samples), 1)
    reason = max(counts, key=lambda name: counts[name])
    return share, None if share >= GOOD else reason


def _constant(samples: np.ndarray, finite: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Masks of samples in long runs of one value, and of those that lie at an extreme of a piece that does vary."""
    changes = np.flatnonzero(samples[1:] != samples[:-1]) + 1  # NaN differs from NaN: its runs have length 1
    starts = np.concatenate([[0], changes])
    lengths = np.diff(np.concatenate([starts, [len(samples)]]))
    if lengths.max() < RAIL_SECONDS * rate_hz:
        return np.zeros(len(samples), bool), np.zeros(len(samples), bool)
    run = np.repeat(lengths, lengths)
    still = finite & (run >= FLAT_SECONDS * rate_hz)
    low, high = (np.nanmin(samples), np.nanmax(samples)) if finite.any() else (0.0, 0.0)
    if low == high:
        return still, np.zeros_like(still)
    return still, finite & (run >= RAIL_SECONDS * rate_hz) & ((samples == low) | (samples == high))


def _noise(samples: np.ndarray, rate_hz: float) -> np.ndarray:
    """A mask of the whole stretches of 10 s, all of them there, that hold nothing but noise."""
    length = int(NOISE_SECONDS * rate_hz)
    count = len(samples) // length
    mask = np.zeros(len(samples), bool)
    stretches = samples[: count * length].reshape(count, length)
    places = np.flatnonzero(np.isfinite(stretches).all(axis=1))
    if not len(places):
        return mask
    values = stretches[places].astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    squares = values * values
    spread, fourth = squares.mean(axis=1), (squares * squares).mean(axis=1)
    # of an ECG hardly any stretch is left for the spectrum
    dull = (spread > NOISE_SPREAD**2) & (fourth < NOISE_KURTOSIS * spread * spread)
    if dull.any():
        noisy = places[dull][_without_beats(values[dull], rate_hz)]
        mask[: count * length].reshape(count, length)[noisy] = True
    return mask


def _without_beats(values: np.ndarray, rate_hz: float) -> np.ndarray:
    """Which rows have the spectrum of noise: most of it above 5 Hz, and of that little where QRS complexes have theirs."""
    length = values.shape[1]
    frequency = np.fft.rfftfreq(length, 1 / rate_hz)
    power = np.abs(np.fft.rfft(values * np.hanning(length), axis=1)) ** 2
    beats = power[:, (frequency >= 5) & (frequency <= 14)].sum(axis=1)
    every = power[:, (frequency >= 5) & (frequency <= 50)].sum(axis=1)
    slow = power[:, frequency < 5].sum(axis=1)
    noisy: np.ndarray = (beats < NOISE_POWER * every) & (slow < every)
    return noisy
