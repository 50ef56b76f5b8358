"""The offset between chart and monitor: found, confirmed, or refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.timeline.clock_skew import MINUTE, Series, SkewConfig, clock_skew

START = 20_000 * 1440 * MINUTE


def monitor(minutes: int, seed: int = 3) -> Series:
    """A random walk that comes back: every hour looks different."""
    rng = np.random.default_rng(seed)
    rate, out = 0.0, []
    for _ in range(minutes):
        rate = 0.97 * rate + rng.normal(0, 2.5)
        out.append(85 + rate)
    return Series(START + MINUTE * np.arange(minutes, dtype=np.int64), np.array(out))


def charted(source: Series, offset: float, every: int = 15, first: int = 60, last: int = 60) -> Series:
    """What a perfect nurse writes, by a clock ``offset`` minutes ahead: the value of the minute, rounded."""
    at = np.arange(first, len(source.times) - last, every)
    return Series(source.times[at] + MINUTE // 2 + round(offset * MINUTE), np.round(source.values[at]))


@settings(max_examples=20)
@given(st.floats(-360, 360))
def test_a_perfect_chart_gives_its_offset(offset: float) -> None:
    source = monitor(16 * 60)
    found = clock_skew(source, charted(source, offset))
    assert found.verdict in ("shift", "confirmed")
    assert found.offset is not None
    assert found.low is not None
    assert found.high is not None
    assert abs(found.offset / MINUTE - offset) < 1.5
    assert found.low <= offset * MINUTE <= found.high


def test_clocks_that_agree_are_confirmed_and_nothing_is_shifted() -> None:
    source = monitor(16 * 60)
    found = clock_skew(source, charted(source, 0))
    assert (found.verdict, found.correction) == ("confirmed", 0)


def test_a_certain_offset_is_the_correction_and_moving_by_it_confirms() -> None:
    source = monitor(16 * 60)
    chart = charted(source, 125)
    found = clock_skew(source, chart)
    assert found.verdict == "shift"
    assert found.correction == found.offset == pytest.approx(125 * MINUTE, abs=1.5 * MINUTE)
    mended = clock_skew(source, Series(chart.times - found.correction, chart.values))
    assert (mended.verdict, mended.correction) == ("confirmed", 0)


def test_an_offset_beyond_reach_is_not_found() -> None:
    source = monitor(48 * 60)
    assert clock_skew(source, charted(source, 12 * 60, first=600, last=600)).verdict == "refused"


def flat(minutes: int) -> Series:
    return Series(monitor(minutes).times, np.full(minutes, 80.0))


def hourly(minutes: int) -> Series:
    """The same hour over and over: every offset of an hour fits alike."""
    one = monitor(60)
    return Series(monitor(minutes).times, np.tile(one.values, minutes // 60))


@pytest.mark.parametrize(
    ("source", "reason"), [(flat(16 * 60), "interval"), (hourly(16 * 60), "interval")], ids=["constant", "repeating"]
)
def test_a_heart_rate_that_tells_nothing_or_two_things_is_refused(source: Series, reason: str) -> None:
    found = clock_skew(source, charted(source, 30))
    assert (found.verdict, found.correction) == ("refused", 0)
    assert reason in found.reason


def test_the_chart_of_another_patient_is_refused() -> None:
    assert clock_skew(monitor(20 * 60, seed=1), charted(monitor(20 * 60, seed=2), 30)).verdict == "refused"


@pytest.mark.parametrize("part", [0.3, 0.5, 0.8])
def test_a_clock_that_was_set_while_charting_is_refused(part: float) -> None:
    source = monitor(30 * 60)
    chart = charted(source, 10)
    times = chart.times.copy()
    times[round(part * len(times)) :] += 60 * MINUTE  # the end of summer time
    assert clock_skew(source, chart).verdict == "shift"
    found = clock_skew(source, Series(times, chart.values))
    assert (found.verdict, found.correction) == ("refused", 0)


def test_too_few_values_are_refused_though_they_fit() -> None:
    source = monitor(16 * 60)
    chart = charted(source, 10)
    few = SkewConfig(reach=30)
    assert clock_skew(source, chart, few).verdict == "shift"
    found = clock_skew(source, Series(chart.times[:12], chart.values[:12]), few)
    assert (found.verdict, found.met) == ("refused", 12)
    assert "24 are needed" in found.reason


@pytest.mark.parametrize("empty", ["monitor", "chart", "no value"])
def test_an_empty_side_is_refused(empty: str) -> None:
    source = monitor(60)
    nothing = Series(source.times[:0], source.values[:0])
    blank = Series(source.times, np.full(60, np.nan))
    pairs = {"monitor": (nothing, source), "chart": (source, nothing), "no value": (blank, source)}
    found = clock_skew(*pairs[empty])
    assert (found.verdict, found.met, found.offset) == ("refused", 0, None)


def test_minutes_without_a_value_and_zeros_speak_neither_for_nor_against() -> None:
    source = monitor(20 * 60)
    values = source.values.copy()
    values[200:420] = 0
    values[500:700] = np.nan
    found = clock_skew(Series(source.times, values), charted(source, -77))
    assert found.verdict == "shift"
    assert found.offset == pytest.approx(-77 * MINUTE, abs=1.5 * MINUTE)
    assert found.met < len(charted(source, -77).times) - 20
