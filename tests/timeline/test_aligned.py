"""A whole store on its grids: against a naive loop, against windows, at any step and origin, however the rows are cut."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.records.events import EVENTS
from clinical_jepa.records.instant import HOUR, MINUTE, SECOND
from clinical_jepa.timeline.aligned import Aligned, aligned
from clinical_jepa.timeline.windows import window
from tests.timeline.builders import arrivals, event, no_load

HR, MAP = "LOINC//8867-4", "LOINC//8478-0"
OTHER = "LOINC//9279-1"
START = 1_767_225_600_000_000  # on a whole hour
ORIGINS = dict.fromkeys((1, 2, 3), START)
steps = st.sampled_from([SECOND, 7 * SECOND, MINUTE, 15 * MINUTE, HOUR])


@st.composite
def facts(draw: st.DrawFn) -> tuple[int, list[tuple]]:
    """A step, and values that lie within 1 µs of the edges of its bins more often than not."""
    step = draw(steps)
    one = st.tuples(
        st.integers(1, 3),
        st.sampled_from([HR, MAP, OTHER]),
        st.builds(lambda n, off: START + n * step + off, st.integers(-2, 9), st.sampled_from([-1, 0, 1, step // 3])),
        st.none() | st.floats(-50, 300, width=32),
    )
    return step, draw(st.lists(one, max_size=14))


def tables(rows: list[tuple]) -> list[pa.Table]:
    """By subject, as they are given within one; a table each."""
    made = [event(who, code, time, time, value, event_id=f"{n:03}") for n, (who, code, time, value) in enumerate(rows)]
    subjects = sorted({row[0] for row in rows})
    return [pa.Table.from_pylist([row for row in made if row["subject_id"] == who], EVENTS) for who in subjects]


def edges(rows: list[tuple], who: int, step: int, origin: int, until: int) -> list[int]:
    """Whole steps from the origin, the first the last one before the first value: found by walking."""
    first = min(row[2] for row in rows if row[0] == who and row[1] != OTHER and row[3] is not None)
    left = origin
    while left >= first:
        left -= step
    while left + step < first:
        left += step
    return list(range(left, until + 1, step))


def naive(rows: list[tuple], who: int, step: int, ends: list[int]) -> list[list[tuple[float | None, int]]]:
    """By bin and code: the value that counts, or None, and its age or -1."""
    found = []
    for right in ends:
        cells = []
        for code in (HR, MAP):
            mine = [
                (time, n, value)
                for n, (w, c, time, value) in enumerate(rows)
                if (w, c) == (who, code) and value is not None
            ]
            inside = [one for one in mine if right - step < one[0] <= right]
            past = [one[0] for one in mine if one[0] <= right]
            cells.append((max(inside)[2] if inside else None, right - max(past) if past else -1))
        found.append(cells)
    return found


@settings(deadline=None)
@given(facts(), st.lists(st.integers(-4 * 60, 4 * 60), min_size=3, max_size=3))
def test_every_bin_is_that_of_a_naive_loop(given_: tuple[int, list[tuple]], minutes: list[int]) -> None:
    step, rows = given_
    until = START + 8 * step
    origins = {who: START + minute * MINUTE for who, minute in zip((1, 2, 3), minutes, strict=True)}
    found = {
        one.subject_id: one for one in aligned(tables(rows), step=step, codes=[HR, MAP], origins=origins, until=until)
    }
    for who in (1, 2, 3):
        useful = [row for row in rows if row[0] == who and row[1] != OTHER and row[3] is not None]
        known = edges(rows, who, step, origins[who], until) if useful else []
        assert (who in found) == (len(known) > 1)
        if who in found:
            assert found[who].edges.tolist() == known
            _equal(found[who], naive(rows, who, step, known[1:]))


def _equal(one: Aligned, expected: list[list[tuple[float | None, int]]]) -> None:
    assert one.values.shape == (len(expected), 2)
    for row, cells in enumerate(expected):
        for column, (value, age) in enumerate(cells):
            assert one.observed[row, column] == (value is not None)
            assert one.age[row, column] == age
            if value is None:
                assert math.isnan(one.values[row, column])
            else:
                assert one.values[row, column] == np.float32(value)


@settings(deadline=None)
@given(facts(), st.integers(1, 5))
def test_pieces_of_any_size_and_windows_say_the_same(given_: tuple[int, list[tuple]], size: int) -> None:
    step, rows = given_
    ordered = [row for who in (1, 2, 3) for row in sorted((r for r in rows if r[0] == who), key=lambda r: r[2])]
    whole = pa.concat_tables([EVENTS.empty_table(), *tables(ordered)])
    pieces = [whole.slice(first, size) for first in range(0, whole.num_rows, size)]
    until = START + 8 * step
    for one in aligned(pieces, step=step, codes=[HR, MAP], until=until, origins=ORIGINS):
        events = [
            event(who, code, time, time, value, event_id=f"{n:03}")
            for n, (who, code, time, value) in enumerate(ordered)
        ]
        known = arrivals(events, since=0, until=until)
        same = window(
            known,
            subject_id=one.subject_id,
            as_of=until,
            start=int(one.edges[0]),
            step=step,
            codes=[HR, MAP],
            load=no_load,
        )
        assert np.array_equal(one.edges, same.edges)
        assert np.array_equal(one.values, same.values, equal_nan=True)
        assert np.array_equal(one.observed, same.observed)
        assert np.array_equal(one.age, same.age)


def test_a_grid_begins_before_the_first_value_and_ends_with_the_last() -> None:
    rows = [(1, HR, START, 70.0), (1, HR, START + 90 * SECOND, 71.0)]
    (one,) = aligned(tables(rows), step=MINUTE, codes=[HR], origins=ORIGINS)
    assert one.edges.tolist() == [START + n * MINUTE for n in (-1, 0, 1, 2)]
    assert one.observed[:, 0].tolist() == [True, False, True]
    assert one.age[:, 0].tolist() == [0, MINUTE, 30 * SECOND]


def test_rows_that_are_not_by_subject_and_steps_of_nothing_are_refused() -> None:
    rows = tables([(1, HR, START, 70.0), (2, HR, START, 70.0)])
    with pytest.raises(ValueError, match="in two places"):
        list(aligned([*rows, rows[0]], step=MINUTE, codes=[HR], origins=ORIGINS))
    with pytest.raises(ValueError, match="at least 1"):
        list(aligned(rows, step=0, codes=[HR], origins=ORIGINS))
