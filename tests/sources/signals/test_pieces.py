"""Cutting: every sample once, in pieces of a minute at most, each known at its own end; and one name a channel."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.records.instant import MINUTE, SECOND
from clinical_jepa.sources.signals.pieces import Recording, channel_name, pieces

RATES = st.sampled_from([0.1, 1 / 3, 1.0, 62.4725, 62.5, 125.0, 1000 / 1.6129, 1000.0]) | st.floats(0.02, 2000)
START = 1_767_600_000_123_457


def recording(samples: np.ndarray, rate: float, **changes: object) -> Recording:
    known = {"subject_id": 1, "channel": "ABP", "unit": "mm[Hg]", "limits": (-50.0, 400.0), "time": START}
    return Recording(rate_hz=rate, samples=samples.astype(np.float32), source="test", **(known | changes))  # type: ignore[arg-type]


@given(RATES, st.floats(0.5, 400.0))
def test_pieces_are_the_samples_in_order_each_a_minute_at_most_and_known_at_its_end(
    rate: float, seconds: float
) -> None:
    samples = np.arange(max(1, min(round(seconds * rate), 400_000))) % 97
    found = list(pieces(recording(samples, rate), lambda end: (end + 5, "delay")))
    np.testing.assert_array_equal(np.concatenate([piece.samples for piece in found]), samples)
    before = 0
    for piece in found:
        start, end = (START + round(count / rate * SECOND) for count in (before, before + piece.samples.size))
        assert abs(piece.time - start) <= 1
        assert piece.time < piece.available_time - 5 <= piece.time + MINUTE
        assert abs(piece.available_time - 5 - end) <= 1
        before += piece.samples.size
    assert all(piece.samples.size == found[0].samples.size for piece in found[:-1])
    assert len(found) == 1 or (found[0].samples.size + 1) / rate > 60 - 1e-6


def test_a_minute_without_a_value_is_no_piece_and_the_next_keeps_its_time() -> None:
    samples = np.concatenate([np.arange(60), np.full(60, np.nan), np.arange(30)])
    first, second = pieces(recording(samples, 1.0), lambda end: (end, "assumed"))
    assert (first.time, second.time) == (START, START + 2 * MINUTE)


@pytest.mark.parametrize("changed", ["subject_id", "channel", "time", "rate_hz", "samples"])
def test_pieces_that_differ_have_ids_that_differ(changed: str) -> None:
    other = {"subject_id": 2, "channel": "PAP", "time": START + 1, "rate_hz": 2.0, "samples": np.float32([1, 3])}
    one = recording(np.array([1, 2]), 1.0)
    fields = {name: getattr(one, name) for name in Recording.__dataclass_fields__}
    (first,) = pieces(one, lambda end: (end, "assumed"))
    (second,) = pieces(Recording(**(fields | {changed: other[changed]})), lambda end: (end, "assumed"))
    assert first.event_id != second.event_id


def test_the_best_signal_bears_the_channel_and_every_other_one_a_name_of_its_own() -> None:
    taken: Counter[str] = Counter()
    named = [("ECG", "II"), ("ECG", "V"), ("ECG", "V"), ("PPG", ""), ("PPG", ""), ("ECG", "I")]
    found = [channel_name(target, name, taken) for target, name in named]
    assert found == ["ECG", "ECG//V", "ECG//V#2", "PPG", "PPG#2", "ECG//I"]
