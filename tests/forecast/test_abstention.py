"""Each reason in its order, and what cannot be compared is unfamiliar."""

from __future__ import annotations

import math

import pytest

from clinical_jepa.forecast.abstention import why
from clinical_jepa.forecast.eligibility import Eligibility, observe
from clinical_jepa.forecast.tasks import load_task
from clinical_jepa.records.forecasts import Why
from tests.forecast.builders import build_policy, build_slice, minute

TASK = load_task("deterioration-8h")
POLICY = build_policy()


def reason(rows, at, novelty=1.0):
    found = why(observe(Eligibility(), build_slice(rows), TASK), now=minute(at), policy=POLICY, novelty=novelty)
    return found and found[0]


@pytest.mark.parametrize(
    ("rows", "at", "novelty", "expected"),
    [
        ([("heart_rate", 0, 80)], 119, 1.0, Why.WARMING_UP),
        ([("heart_rate", 0, 80)], 120, 1.0, None),
        ([("norepinephrine", 5, 0.1)], 130, 1.0, Why.IN_EVENT),
        ([("lactate", 5, 2.0)], 130, 1.0, Why.NO_VITALS),
        ([("heart_rate", 0, 80)], 360, 1.0, None),
        ([("heart_rate", 0, 80)], 361, 1.0, Why.STALE_VITALS),
        ([("heart_rate", 0, 80)], 130, 99.0, None),
        ([("heart_rate", 0, 80)], 130, 99.5, Why.UNFAMILIAR),
        ([("heart_rate", 0, 80)], 130, math.nan, Why.UNFAMILIAR),
        ([("heart_rate", 0, 80)], 130, math.inf, Why.UNFAMILIAR),
    ],
)
def test_each_reason(rows, at, novelty, expected):
    assert reason(rows, at, novelty) == expected


def test_of_a_patient_never_seen_nothing_is_said():
    assert why(Eligibility(), now=minute(0), policy=POLICY, novelty=1.0) == (
        Why.WARMING_UP,
        "known for 0 min of the 2 h needed",
    )


def test_the_detail_says_how_old():
    rows = [("heart_rate", 0, 80)]
    _, detail = why(observe(Eligibility(), build_slice(rows), TASK), now=minute(400), policy=POLICY, novelty=1.0)
    assert detail == "the newest vital sign is 400 min old, 6 h is allowed"
