"""Onsets and labels against a plain reading of the rules, and the planted fault of a shifted window."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.forecast.labels import label, onsets, onsets_by_subject, record_ends
from clinical_jepa.forecast.tasks import load_task
from clinical_jepa.records.instant import HOUR, MINUTE
from tests.forecast.builders import build_events, minute

TASK = load_task("deterioration-8h")


def times(rows):
    return [((onset.time - minute(0)) // MINUTE, onset.criterion) for onset in onsets(build_events(rows), TASK)]


def test_the_first_of_two_consecutive_low_pressures_is_the_onset():
    assert times([("map", 0, 80), ("map", 60, 64), ("map", 120, 63), ("map", 180, 80)]) == [(60, "low mean pressure")]


def test_one_low_pressure_or_a_limit_value_is_none():
    assert times([("map", 0, 64), ("map", 60, 80), ("map", 120, 64), ("map", 180, 65), ("map", 240, 65)]) == []


def test_a_vasopressor_start_counts_once_while_it_runs():
    rows = [("norepinephrine", 10, 0.0), ("norepinephrine", 60, 0.05), ("norepinephrine", 90, 0.1)]
    assert times([*rows, ("norepinephrine", 900, 0.0), ("map", 1000, 80)]) == [(60, "vasopressor started")]


def test_an_infusion_without_an_end_runs_to_the_end_of_the_record():
    (onset,) = onsets(build_events([("norepinephrine", 60, 0.05), ("map", 2000, 80)]), TASK)
    assert onset.end == minute(2000)


def test_hypoxaemia_needs_enough_oxygen_that_is_not_too_old():
    assert times([("fio2", 0, 50), ("spo2", 30, 89)]) == [(30, "hypoxaemia on oxygen")]
    assert times([("fio2", 30, 50), ("spo2", 30, 89)]) == [(30, "hypoxaemia on oxygen")]
    assert times([("fio2", 0, 49), ("spo2", 30, 89)]) == []
    assert times([("fio2", 0, 50), ("spo2", 30, 90)]) == []
    assert times([("fio2", 0, 50), ("spo2", 12 * 60, 89)]) == [(720, "hypoxaemia on oxygen")]
    assert times([("fio2", 0, 50), ("spo2", 12 * 60 + 1, 89)]) == []
    assert times([("spo2", 30, 89), ("fio2", 31, 50)]) == []


def test_criteria_within_the_refractory_time_are_one_event():
    low = [("fio2", 0, 60), ("spo2", 0, 85)]
    assert times([*low, ("spo2", 239, 85)]) == [(0, "hypoxaemia on oxygen")]
    assert [at for at, _ in times([*low, ("spo2", 240, 85)])] == [0, 240]


def test_a_label_is_one_zero_or_unknown():
    found = onsets(build_events([("map", 600, 60), ("map", 660, 60), ("map", 2000, 80)]), TASK)
    h, end = 8 * 60, minute(2000)
    expected = {
        600 - h - 1: 0,  # the onset lies past the horizon
        600 - h: 1,  # at its very end
        599: 1,
        600: None,  # in the event
        660 + 239: None,  # in its refractory time
        660 + 240: 0,
        2000 - h: 0,
        2001 - h: None,  # the record ends before the horizon
    }
    assert {t: label(found, minute(t), TASK, end) for t in expected} == expected


def test_a_record_that_ends_early_labels_nothing_not_even_its_onset():
    """Otherwise the last hours of a stay hold ones and no zeros, and a clock would foretell the event."""
    found = onsets(build_events([("map", 600, 60), ("map", 601, 60)]), TASK)
    assert label(found, minute(599), TASK, minute(601)) is None
    assert label(found, minute(599), TASK, minute(599) + TASK.horizon) == 1


def test_a_shifted_window_would_be_seen():
    found = onsets(build_events([("map", 600, 60), ("map", 660, 60), ("map", 2000, 80)]), TASK)
    shifted = replace(TASK, horizon=TASK.horizon + MINUTE)  # the planted fault
    at = minute(600) - TASK.horizon - MINUTE
    assert label(found, at, shifted, minute(2000)) != label(found, at, TASK, minute(2000))


def test_many_subjects_in_one_pass_equal_each_alone():
    first = [("map", 0, 60), ("map", 5, 60)]
    second = [("fio2", 0, 60), ("spo2", 3, 80)]
    both = pa.concat_tables([build_events(first, 1), build_events(second, 2), build_events([("map", 9, 80)], 3)])
    found = onsets_by_subject(both, TASK)
    assert found == {1: onsets(build_events(first), TASK), 2: onsets(build_events(second), TASK)}
    assert record_ends(both) == {1: minute(5), 2: minute(3), 3: minute(9)}


values = st.lists(
    st.tuples(st.integers(0, 1500), st.sampled_from([50.0, 64.9, 65.0, 90.0])), max_size=25, unique_by=lambda r: r[0]
)


@settings(deadline=None)
@given(values)
def test_onsets_of_pressure_follow_the_plain_reading(rows):
    rows = sorted(rows)
    held = [
        [a, b] for (a, x), (b, y) in pairwise(rows) if x < 65 and y < 65
    ]  # consecutive pairs, joined below wherever they are closer than the refractory time
    merged: list[list[int]] = []
    for first, last in held:
        if merged and first < merged[-1][1] + TASK.refractory // MINUTE:
            merged[-1][1] = last
        else:
            merged.append([first, last])
    found = onsets(build_events([("map", at, value) for at, value in rows]), TASK)
    assert [[(o.time - minute(0)) // MINUTE, (o.end - minute(0)) // MINUTE] for o in found] == merged
    assert all(label(found, o.time - HOUR, TASK, o.end) in (1, None) for o in found)
