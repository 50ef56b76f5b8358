"""Aligned bins are (start, end], hold the last value of their time, and are never filled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.records.instant import MINUTE
from clinical_jepa.timeline.windows import window
from tests.timeline.builders import arrivals, event, no_load

HR, MAP = "LOINC//8867-4", "LOINC//8478-0"


def aligned(events: list[dict], *, start: int, as_of: int, step: int):
    known = arrivals(events, since=-(10**15), until=as_of)
    return window(known, subject_id=1, as_of=as_of, start=start, step=step, codes=[HR, MAP], load=no_load)


@pytest.mark.parametrize(("offset", "bin_"), [(-1, 0), (0, 0), (1, 1)])
def test_a_value_one_microsecond_either_side_of_an_edge(offset: int, bin_: int) -> None:
    found = aligned([event(1, HR, 5 * MINUTE + offset, 9 * MINUTE, 70.0)], start=0, as_of=10 * MINUTE, step=5 * MINUTE)
    assert found.observed[:, 0].tolist() == [index == bin_ for index in range(2)]


moments = st.integers(0, 12).map(lambda n: n * MINUTE // 2)


@given(
    st.lists(st.tuples(st.sampled_from([HR, MAP]), moments, moments, st.floats(0, 100, width=32)), max_size=12),
    st.integers(1, 4),
)
def test_bins_equal_a_naive_loop(facts: list[tuple], width: int) -> None:
    as_of, step = 6 * MINUTE, width * MINUTE
    events = [
        event(1, code, time, time + lag, value, event_id=f"{n:03}") for n, (code, time, lag, value) in enumerate(facts)
    ]
    found = aligned(events, start=0, as_of=as_of, step=step)
    order = sorted(range(len(facts)), key=lambda n: (facts[n][1] + facts[n][2], facts[n][1], n))
    visible = [facts[n] for n in order if facts[n][1] + facts[n][2] <= as_of]
    for bin_, end in enumerate(range(step, as_of + 1, step)):
        for column, code in enumerate([HR, MAP]):
            inside = [fact for fact in visible if fact[0] == code and end - step < fact[1] <= end]
            before = [fact[1] for fact in visible if fact[0] == code and fact[1] <= end]
            latest = [fact for fact in inside if fact[1] == max(f[1] for f in inside)]
            assert found.observed[bin_, column] == bool(inside)
            assert found.age[bin_, column] == (end - max(before) if before else -1)
            if inside:
                assert found.values[bin_, column] == np.float32(latest[-1][3])
            else:
                assert np.isnan(found.values[bin_, column])


def test_another_subject_and_another_code_stay_out() -> None:
    events = [event(2, HR, MINUTE, MINUTE, 70.0), event(1, "LOINC//9279-1", MINUTE, MINUTE, 12.0)]
    assert not aligned(events, start=0, as_of=5 * MINUTE, step=MINUTE).observed.any()


def test_arrays_are_read_only() -> None:
    found = aligned([], start=0, as_of=5 * MINUTE, step=MINUTE)
    with pytest.raises(ValueError, match="read-only"):
        found.values[0, 0] = 1
