"""How usable a piece is: planted faults, each with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clinical_jepa.sources.signals.quality import quality
from clinical_jepa.sources.wfdb import header, windows
from tests.sources.wfdb.builders import wave

RATE = 125.0
NONE = (-np.inf, np.inf)


def planted(first: int, last: int, value: float) -> np.ndarray:
    samples = wave(7500).astype(np.float32)
    samples[first:last] = value
    return samples


@pytest.mark.parametrize(
    ("samples", "channel", "limits", "share", "reason"),
    [
        (wave(7500), "ECG", NONE, 1.0, None),
        (planted(0, 20, np.nan), "ECG", NONE, 1 - 20 / 7500, None),
        (planted(0, 3750, np.nan), "ECG", NONE, 0.5, "missing"),
        (planted(0, 3750, 0.123), "ECG", NONE, 0.5, "lead-off"),
        (planted(0, 3750, 0.123), "ECG//V", NONE, 0.5, "lead-off"),
        (planted(0, 3750, 0.123), "ABP", NONE, 0.5, "flat"),
        (planted(0, 3750, 9.0), "PAP", NONE, 0.5, "saturated"),
        (planted(0, 3750, 9.0), "ECG", NONE, 0.5, "lead-off"),
        (planted(0, 250, 9.0), "ECG", NONE, 1 - 250 / 7500, "saturated"),
        (planted(0, 3750, 9.0), "SIGNAL//ECGX", NONE, 0.5, "saturated"),
        (planted(0, 3750, 90.0), "ECG", (-15.0, 15.0), 0.5, "out-of-range"),
        (np.full(7500, 90.0), "PAP", NONE, 0.0, "flat"),
        (np.full(7500, np.nan), "PAP", NONE, 0.0, "missing"),
        (np.zeros(1), "PAP", NONE, 1.0, None),
    ],
)
def test_a_planted_fault_is_named(
    samples: np.ndarray, channel: str, limits: tuple[float, float], share: float, reason: str | None
) -> None:
    found = quality(samples.astype(np.float32), RATE, channel, limits)
    assert found == (pytest.approx(share), reason)


def beats(seconds: float = 60.0, *, rate: float = RATE, size: float = 1.0) -> np.ndarray:
    """An ECG made by hand: a QRS of 80 ms each 0.8 s on a quiet line, with a broad T wave."""
    at = np.arange(int(seconds * rate)) / rate % 0.8
    qrs = np.exp(-0.5 * ((at - 0.2) / 0.015) ** 2) - 0.25 * np.exp(-0.5 * ((at - 0.235) / 0.012) ** 2)
    return size * (qrs + 0.2 * np.exp(-0.5 * ((at - 0.5) / 0.05) ** 2))


def noise(count: int, size: float, *, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, count)


@pytest.mark.parametrize("rate", [125.0, 250.0, 360.0, 500.0])
@pytest.mark.parametrize(
    ("share", "size", "reason"),
    [(0, 0.0, None), (0, 0.05, None), (1, 0.5, "noise"), (1, 1.0, "noise"), (0.5, 1.0, "noise")],
)
def test_an_ecg_that_is_nothing_but_noise_is_said_to_be(
    rate: float, share: float, size: float, reason: str | None
) -> None:
    samples = beats(rate=rate)
    noisy = int(share * len(samples)) or len(samples)
    samples[:noisy] = samples[:noisy] * (share == 0) + noise(noisy, size)
    found, why = quality(samples.astype(np.float32), rate, "ECG", (-15.0, 15.0))
    assert why == reason
    assert found == pytest.approx(1.0 - (share if reason else 0), abs=0.01)


@pytest.mark.parametrize("channel", ["ABP", "SIGNAL//EEG"])
def test_only_an_ecg_is_judged_by_its_beats(channel: str) -> None:
    assert quality(noise(7500, 1.0).astype(np.float32), RATE, channel, NONE) == (1.0, None)


@pytest.mark.parametrize(
    "samples",
    [
        noise(7500, 0.02),  # asystole: a quiet line with the amplifier's own noise
        0.3
        * np.sin(2 * np.pi * 5.5 * np.arange(7500) / RATE)
        * (1 + 0.3 * np.sin(np.arange(7500) / 400)),  # fibrillation
        beats(size=0.1) + noise(7500, 0.01),
    ],
)
def test_a_heart_that_fails_is_no_noise(samples: np.ndarray) -> None:
    assert quality(samples.astype(np.float32), RATE, "ECG", (-15.0, 15.0)) == (1.0, None)


def test_real_ecgs_are_no_noise_and_buried_ones_are(data: Path) -> None:
    for path in sorted((data / "mitdb").glob("*.hea")):
        described = header.load(path)
        for samples in windows.read(described, 0, windows.frames(described)):
            stretches = samples[: len(samples) // 3600 * 3600].reshape(-1, 3600)
            assert {quality(part, 360.0, "ECG", (-15.0, 15.0))[1] for part in stretches} <= {None}
            buried = stretches + noise(stretches.size, 8 * float(samples.std())).reshape(stretches.shape)
            marked = [quality(part.astype(np.float32), 360.0, "ECG", NONE)[1] for part in buried]
            assert marked.count("noise") > 0.95 * len(marked)


@pytest.mark.parametrize("value", [0.0, 5.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("count", [0, 1, 2, 1250, 1251, 7500])
@pytest.mark.parametrize("channel", ["ECG", "ABP"])
def test_nothing_flat_or_missing_is_too_much(value: float, count: int, channel: str) -> None:
    share, _ = quality(np.full(count, value, np.float32), RATE, channel, (-10.0, 10.0))
    assert 0 <= share <= 1


@given(
    hnp.arrays(np.float32, st.integers(1, 600), elements=st.sampled_from([0.0, 1.0, 2.0, -40.0, np.nan, np.inf])),
)
def test_the_share_lies_between_none_and_all_for_any_samples(samples: np.ndarray) -> None:
    share, reason = quality(samples, 10.0, "ABP", (-10.0, 10.0))
    assert -1e-9 <= share <= 1.0
    assert (reason is None) == (share >= 0.99)
