"""Slices: everything that arrived, in order, and nothing that depends on how time was cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.records.instant import MINUTE, SECOND
from clinical_jepa.records.views import PATCH_CHANNELS, PATCH_SAMPLES
from clinical_jepa.timeline.patches import resampled
from clinical_jepa.timeline.slices import slices
from clinical_jepa.vocabulary.codes import code_id
from tests.timeline.builders import arrivals, event, moment, no_load, signal

HR = "LOINC//8867-4"
moments = st.integers(0, 40).map(lambda n: n * MINUTE // 4)


@given(st.lists(st.tuples(st.integers(1, 3), moments, moments), max_size=20), st.integers(0, 10))
def test_consecutive_slices_concatenate(facts: list[tuple[int, int, int]], cut: int) -> None:
    events = [event(s, HR, t, t + lag, float(n), event_id=f"{n:03}") for n, (s, t, lag) in enumerate(facts)]
    end, middle = 20 * MINUTE, cut * MINUTE
    parts = [
        slices(arrivals(events, since=a, until=b), subjects=[1, 2, 3], since=a, load=no_load)
        for a, b in ((-1, middle), (middle, end), (-1, end))
    ]
    for subject in (1, 2, 3):
        first, second, whole = (part[subject].items for part in parts)
        for name in ("time", "available", "code", "value", "text"):
            joined = np.concatenate([getattr(first, name), getattr(second, name)])
            assert np.array_equal(joined, getattr(whole, name))


def test_items_carry_codes_values_texts_and_the_available_time_of_statics() -> None:
    events = [
        event(1, "GENDER//F", None, 5 * MINUTE),
        event(1, HR, MINUTE, 6 * MINUTE, 70.0),
        event(1, "TRANSFER_TO", 2 * MINUTE, 7 * MINUTE, text_value="Bed 1"),
    ]
    items = slices(arrivals(events, since=0, until=10 * MINUTE), subjects=[1], since=0, load=no_load)[1].items
    assert items.time.tolist() == [5 * MINUTE, MINUTE, 2 * MINUTE]
    assert items.code.tolist() == [code_id("GENDER//F"), code_id(HR), code_id("TRANSFER_TO")]
    assert np.isnan(items.value[[0, 2]]).all()
    assert items.value[1] == 70
    assert (items.text > 0).tolist() == [False, False, True]


def test_what_a_memory_already_holds_is_left_out() -> None:
    events = [event(1, HR, MINUTE, MINUTE, 70.0), event(1, HR, 2 * MINUTE, 2 * MINUTE, 71.0)]
    found = slices(arrivals(events, since=0, until=5 * MINUTE), subjects=[1], since={1: MINUTE}, load=no_load)
    assert found[1].items.value.tolist() == [71.0]


def test_a_ramp_survives_resampling_and_a_gap_is_absent() -> None:
    ramp = np.arange(1250, dtype=np.float32)  # 10 s at 125 Hz
    ramp[500:750] = np.nan
    values, present = resampled(ramp, 125.0)
    assert len(values) == PATCH_SAMPLES
    assert np.allclose(values[present > 0], (np.arange(625) * 2)[present > 0])
    assert not present[250:375].any()
    assert present[:250].all()
    assert present[375:].all()


def test_channels_that_start_together_share_patches() -> None:
    pieces = {"a": np.ones(7500, np.float32), "b": np.full(3750, 2, np.float32), "c": np.ones(60, np.float32)}
    signals = [
        signal(1, "ECG", 0, 7500, 125.0, "a"),
        signal(1, "ABP", 0, 3750, 62.5, "b"),
        signal(1, "XYZ", 0, 60, 1.0, "c"),
    ]
    found = slices(
        arrivals([], since=-1, until=2 * MINUTE, signals=signals), subjects=[1], since=-1, load=pieces.__getitem__
    )
    patches = found[1].patches
    assert patches.time.tolist() == [n * 10 * SECOND for n in range(6)]
    assert set(patches.available.tolist()) == {60 * SECOND}
    for channel, value in (("ECG", 1), ("ABP", 2)):
        assert (patches.samples[:, PATCH_CHANNELS.index(channel)] == value).all()
    assert not patches.present[:, PATCH_CHANNELS.index("PPG")].any()


@pytest.mark.parametrize(("seconds", "count"), [(60, 6), (14, 1), (15, 2), (4, 0)])
def test_a_last_patch_of_five_seconds_is_kept(seconds: int, count: int) -> None:
    piece = np.ones(seconds * 125, np.float32)
    known = arrivals([], since=-1, until=2 * MINUTE, signals=[signal(1, "ECG", 0, len(piece), 125.0, "a")])
    found = slices(known, subjects=[1], since=-1, load=lambda _: piece)[1].patches
    assert len(found.time) == count
    assert found.present.sum() == round(min(seconds, 10 * count) * 62.5)


@given(
    st.sampled_from([25.0, 62.5, 100.0, 125.0, 250.0]),
    st.lists(st.floats(-9, 9) | st.just(float("nan")), min_size=1, max_size=60),
)
def test_resampling_equals_a_naive_loop(rate_hz: float, wave: list[float]) -> None:
    samples = np.array(wave, np.float32)
    values, present = resampled(samples, rate_hz)
    for index in range(len(values)):
        at = index * rate_hz / 62.5
        left = min(int(at), len(samples) - 1)
        right = min(left + 1, len(samples) - 1)
        usable = np.isfinite(samples[left]) and (at == left or np.isfinite(samples[right]))
        assert present[index] == usable
        expected = samples[left] + (at - left) * (samples[right] - samples[left]) if at > left else samples[left]
        assert values[index] == pytest.approx(expected if usable else 0, abs=1e-5)


def test_pieces_that_came_apart_stay_apart_however_time_is_cut() -> None:
    wave = np.ones(1250, np.float32)
    on_time = signal(1, "ECG", 0, 1250, 125.0, "a")
    late = signal(1, "ABP", 0, 1250, 125.0, "b") | {"available_time": moment(MINUTE)}
    parts = []
    for since, until in ((-1, 30 * SECOND), (30 * SECOND, MINUTE), (-1, MINUTE)):
        known = arrivals([], since=since, until=until, signals=[on_time, late])
        parts.append(slices(known, subjects=[1], since=since, load=lambda _: wave)[1].patches)
    first, second, whole = parts
    for name in ("time", "available", "samples", "present"):
        joined = np.concatenate([getattr(first, name), getattr(second, name)])
        assert np.array_equal(joined, getattr(whole, name))
    assert len(whole.time) == 2


def test_a_piece_without_a_usable_sample_is_as_good_as_none() -> None:
    off = signal(1, "ECG", 0, 1250, 125.0, "a") | {"quality": 0.0, "quality_reason": "flat"}
    known = arrivals([], since=-1, until=MINUTE, signals=[off])
    assert len(slices(known, subjects=[1], since=-1, load=no_load)[1].patches.time) == 0
