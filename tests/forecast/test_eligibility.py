"""The fold: as known at t, the same however the history is cut, and equal to the labels' view when nothing is late."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.forecast.eligibility import Eligibility, from_bytes, in_event, observe, vitals_age
from clinical_jepa.forecast.labels import onsets
from clinical_jepa.forecast.tasks import load_task
from clinical_jepa.records.instant import MINUTE
from tests.forecast.builders import START, build_events, build_slice, minute

TASK = load_task("deterioration-8h")


def known(rows, upto=None):
    return observe(Eligibility(), build_slice(rows, now=upto), TASK)


def test_the_second_low_pressure_makes_the_event_known():
    rows = [("map", 60, 60), ("map", 120, 60)]
    assert not in_event(known(rows[:1]), minute(90), TASK)
    assert in_event(known(rows), minute(120), TASK)
    assert in_event(known(rows), minute(120 + 239), TASK)
    assert not in_event(known(rows), minute(120 + 240), TASK)


def test_a_running_vasopressor_is_an_event_until_it_stopped_and_four_hours_more():
    rows = [("norepinephrine", 10, 0.1)]
    assert in_event(known(rows), minute(5000), TASK)
    stopped = known([*rows, ("norepinephrine", 600, 0.0)])
    assert in_event(stopped, minute(839), TASK)
    assert not in_event(stopped, minute(840), TASK)


def test_oxygen_and_saturation_of_one_moment_belong_together_in_any_order():
    for rows in ([("spo2", 30, 85), ("fio2", 30, 60)], [("fio2", 30, 60), ("spo2", 30, 85)]):
        assert in_event(known(rows), minute(31), TASK)


def test_what_is_not_yet_available_is_not_known():
    rows = [("map", 60, 60, 200), ("map", 120, 60, 200), ("heart_rate", 0, 70)]
    assert not in_event(known(rows, upto=minute(199)), minute(199), TASK)
    assert in_event(known(rows, upto=minute(200)), minute(200), TASK)


def test_an_older_value_that_comes_late_does_not_rewrite_the_state():
    rows = [("map", 120, 80, 120), ("map", 100, 60, 130), ("map", 110, 60, 131)]
    assert not in_event(known(rows), minute(140), TASK)


def test_vitals_age_counts_monitors_but_no_labs_and_no_clock_that_runs_ahead():
    assert vitals_age(known([("lactate", 0, 2.0)]), minute(60)) is None
    assert vitals_age(known([("monitor_heart_rate", 30, 80)]), minute(60)) == 30 * MINUTE
    assert vitals_age(known([("heart_rate", 90, 80, 30)]), minute(60)) == 30 * MINUTE


def test_json_keeps_the_state_and_equal_states_are_equal_bytes():
    state = known([("map", 0, 60), ("fio2", 5, 60), ("spo2", 6, 85), ("norepinephrine", 7, 0.1)])
    assert from_bytes(state.to_bytes()) == state
    assert from_bytes(b"") == Eligibility()
    assert from_bytes(state.to_bytes()).to_bytes() == state.to_bytes()


names = st.sampled_from(["map", "spo2", "fio2", "norepinephrine", "heart_rate", "lactate"])
row = st.tuples(names, st.integers(0, 900), st.sampled_from([0.0, 0.2, 40.0, 60.0, 88.0, 95.0]), st.integers(0, 90))
history = st.lists(row, max_size=30)


@settings(deadline=None)
@given(history, st.lists(st.integers(0, 1000), max_size=4))
def test_the_state_does_not_depend_on_the_cuts(rows, cuts):
    rows = [(name, at, value, at + lag) for name, at, value, lag in rows]
    edges = [0, *(minute(cut) for cut in sorted(cuts)), minute(1000)]
    whole = observe(Eligibility(), build_slice(rows, now=minute(1000)), TASK)
    pieces = [build_slice(rows, since=a, now=b) for a, b in pairwise(edges)]
    assert (
        reduce(lambda state, piece: observe(from_bytes(state.to_bytes()), piece, TASK), pieces, Eligibility()) == whole
    )


@settings(deadline=None)
@given(st.lists(row, max_size=30, unique_by=lambda r: (r[0], r[1])), st.integers(0, 1000))
def test_known_without_delay_it_is_in_an_event_only_where_the_labels_say_so(rows, at):
    rows = [(name, time, value) for name, time, value, _ in rows]
    if not any(time <= at for _, time, _ in rows):
        return
    now = minute(at)
    past = [entry for entry in rows if entry[1] <= at]
    truth = any(
        o.time <= now < o.end + TASK.refractory for o in onsets(build_events([*past, ("heart_rate", at, 80.0)]), TASK)
    )
    assert in_event(observe(Eligibility(), build_slice(rows, now=now), TASK), now, TASK) == truth


def test_the_origin_is_the_slices():
    assert known([("map", 0, 80)]).origin == START
