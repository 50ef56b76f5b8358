"""How usable a piece is: planted faults, each with its reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clinical_jepa.sources.wfdb.quality import quality
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


@given(
    hnp.arrays(np.float32, st.integers(1, 600), elements=st.sampled_from([0.0, 1.0, 2.0, -40.0, np.nan, np.inf])),
)
def test_the_share_lies_between_none_and_all_for_any_samples(samples: np.ndarray) -> None:
    share, reason = quality(samples, 10.0, "ABP", (-10.0, 10.0))
    assert -1e-9 <= share <= 1.0
    assert (reason is None) == (share >= 0.99)
