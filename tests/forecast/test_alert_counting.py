"""Counting against the worked cases of circEWS: a five-minute grid, an event at steps 24 to 29, a window of 8 h."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.forecast.alert_counting import Rules, Watch, count, episodes, raised
from clinical_jepa.forecast.labels import Onset
from clinical_jepa.records.instant import HOUR, MINUTE

STEP = 5 * MINUTE
EVENT = Onset(time=24 * STEP, criterion="x", end=29 * STEP)


def burden(alerts, onsets=(EVENT,), last=2000, asked=range(24)):
    watch = Watch(
        alerts=[a * STEP for a in alerts], onsets=onsets, asked=[a * STEP for a in asked], last_time=last * STEP
    )
    return count([watch], horizon=8 * HOUR, spacing=STEP)


def test_case_a_three_of_four_alerts_are_true_and_the_event_is_caught():
    found = burden([6, 12, 18, 40])
    assert (found.true_alerts, found.false_alerts, found.caught, found.events) == (3, 1, 1, 1)
    assert (found.precision, found.recall, found.leads) == (0.75, 1.0, (1.5,))


def test_alerts_every_half_hour_while_the_score_stays_high():
    high = [1.0 if 6 <= i <= 19 else 0.0 for i in range(24)]
    times = [i * STEP for i in range(24)]
    found = raised(times, high, threshold=0.5, silence=30 * MINUTE)
    assert [t // STEP for t in found] == [6, 12, 18]


def test_a_score_that_is_high_from_the_start_alerts_at_once():
    found = raised(
        [i * STEP for i in range(24)], [0.9] * 10 + [0.0] * 5 + [0.9] * 3 + [0.0] * 6, threshold=0.5, silence=6 * STEP
    )
    assert [t // STEP for t in found] == [0, 6, 15]


def test_an_alert_without_enough_record_is_undecided_and_at_the_onset_it_is_too_late():
    found = burden([24, 1990], asked=range(24))
    assert (found.caught, found.undecided, found.false_alerts) == (0, 1, 1)


def test_the_window_is_closed_at_eight_hours_before():
    late = Onset(time=200 * STEP, criterion="x", end=200 * STEP)
    assert burden([200 - 96], (late,), asked=range(200)).caught == 1
    assert burden([200 - 97], (late,), asked=range(200)).caught == 0


def test_an_event_before_which_nothing_was_asked_is_not_counted():
    assert burden([], asked=[30, 31]).events == 0
    assert math.isnan(burden([], asked=[30, 31]).recall)


def test_rates_name_their_denominator():
    found = burden([6, 40], asked=range(288))
    assert found.patient_days == 1.0
    assert found.per_patient_day == 2.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0, 1), st.integers(1, 8))
def test_alerts_keep_their_distance_and_a_lower_threshold_is_never_quieter_at_first(risks, threshold, silence):
    times = [i * STEP for i in range(len(risks))]
    found = raised(times, risks, threshold=threshold, silence=silence * STEP)
    assert all(b - a >= silence * STEP for a, b in pairwise(found))
    assert all(risks[t // STEP] >= threshold for t in found)
    assert bool(found) == (max(risks) >= threshold)


RULES = Rules(threshold=0.5, clear_below=0.3, clear_after=2 * STEP, silence=3 * STEP, expire_after=50 * STEP)


def alerts(risks, onsets=(), rules=RULES):
    return [t // STEP for t in episodes([i * STEP for i in range(len(risks))], risks, rules, onsets)]


def test_one_alert_stays_open_until_the_risk_was_low_for_long_enough():
    assert alerts([0.6] * 20) == [0]
    assert alerts([0.6, 0.2, 0.2, 0.6, 0.2, 0.2, 0.2, 0.6, 0.6, 0.6]) == [0, 9]  # ended at 6, silent until 9
    assert alerts([0.6, 0.4, 0.4, 0.4, 0.4, 0.6]) == [0]  # never below the clearing level


def test_an_alert_ends_with_its_event_and_when_nobody_answers():
    assert alerts([0.6] * 12, [Onset(time=4 * STEP, criterion="x", end=4 * STEP)]) == [0, 7]
    assert alerts([0.6] * 12, rules=Rules(**{**RULES.__dict__, "expire_after": 4 * STEP})) == [0, 7]
