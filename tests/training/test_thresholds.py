"""The threshold keeps to the budget and catches as much as it may; where none can, none is raised and it says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.alerts.life_cycle import is_open, progress
from clinical_jepa.forecast.alert_counting import Rules, episodes
from clinical_jepa.forecast.tasks import load_task
from clinical_jepa.records.alerts import AlertState
from clinical_jepa.records.forecasts import Forecast
from clinical_jepa.records.instant import HOUR
from clinical_jepa.records.ward import Patient, Stay
from clinical_jepa.training import thresholds
from clinical_jepa.training.anchors import Anchors
from tests.forecast.builders import build_policy
from tests.training.small_store import START, build

TASK = load_task("deterioration-8h")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return build(tmp_path_factory.mktemp("thresholds") / "store", subjects=12)


def rows(hours=range(3, 12), subjects=range(1, 13)) -> Anchors:
    pairs = [(START + hour * HOUR, subject) for hour in hours for subject in subjects]
    time, subject = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    none = np.zeros((len(time), 0), np.float32)
    return Anchors(
        names=(),
        subject=subject,
        time=time,
        label=np.zeros(len(time), np.float32),
        z=none,
        registers=none,
        newest=none,
        targets=none[:, :, None],
        news2=np.zeros(len(time), np.float32),
        news2_missing=np.zeros(len(time), np.int64),
    )


def rules(threshold: float) -> Rules:
    return Rules(
        threshold=threshold, clear_below=0.6 * threshold, clear_after=HOUR, silence=HOUR, expire_after=12 * HOUR
    )


def bearable(budget: float, precision: float = 0.0) -> thresholds.Price:
    return thresholds.Price(budget=budget, precision=precision)


def test_alerts_that_nothing_follows_are_refused_however_few_they_are(store):
    """Everybody in one endless alert costs few alerts a day: the budget alone would choose that."""
    known = rows()
    risks = np.full(len(known.time), 0.4)
    cheap = thresholds.choose(known, risks, store=store, task=TASK, price=bearable(100.0), rules=rules)
    dear = thresholds.choose(known, risks, store=store, task=TASK, price=bearable(100.0, precision=1.0), rules=rules)
    assert cheap.burden.alerts > 0
    assert cheap.burden.precision < 1
    assert dear.threshold == thresholds.NEVER
    assert "true" in dear.note


def test_the_budget_is_kept_and_used(store):
    known = rows()
    risks = np.where(known.subject % 3 == 0, 0.6, 0.05) + 0.001 * (known.subject % 2)
    few = thresholds.choose(known, risks, store=store, task=TASK, price=bearable(1.0), rules=rules)
    many = thresholds.choose(known, risks, store=store, task=TASK, price=bearable(100.0), rules=rules)
    assert few.threshold > 0.5 > many.threshold
    assert few.burden.per_patient_day <= 1.0 < many.burden.per_patient_day
    assert 0 < few.burden.recall <= many.burden.recall


def test_no_threshold_within_the_budget_raises_nothing_and_says_so(store):
    known = rows()
    found = thresholds.choose(
        known, np.full(len(known.time), 0.4), store=store, task=TASK, price=bearable(0.1), rules=rules
    )
    assert found.threshold == thresholds.NEVER
    assert found.burden.alerts == 0
    assert "no threshold" in found.note


def lived(risks, policy) -> list[int]:
    """When the ward's own life cycle raises alerts over hourly risks that nobody answers."""
    stay = Stay(subject_id=1, encounter_id=None, bed=None, admitted=START)
    patient = Patient(subject_id=1, encounter_id=None, cursor=START, alert=None, last_alert_end=None, eligibility=b"")
    found = []
    for hour, risk in enumerate(risks):
        now = START + hour * HOUR
        said = Forecast(
            subject_id=1,
            at=now,
            task="t",
            risk=risk,
            risk_low=risk,
            risk_high=risk,
            bands=(),
            valid_until=now + HOUR,
            reasons=(),
            model_id="m",
            policy_id="p",
        )
        alert, changes = progress(patient, said, policy, stay=stay)
        found += [hour for change in changes if change.transition.after is AlertState.RAISED]
        if alert is not None and not is_open(alert):
            patient = replace(patient, alert=None, last_alert_end=alert.changed_at)
        else:
            patient = replace(patient, alert=alert)
    return found


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([0.05, 0.17, 0.25, 0.6]), max_size=24),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(1, 8),
)
def test_the_replayed_rules_are_those_of_the_ward(risks, clear_hours, silence_hours, expire_hours):
    hours = {"clear_after": clear_hours * HOUR, "silence": silence_hours * HOUR, "expire_after": expire_hours * HOUR}
    policy = build_policy(threshold=0.3, clear_below=0.2, **hours)
    replayed = episodes(
        [START + i * HOUR for i in range(len(risks))], risks, Rules(threshold=0.3, clear_below=0.2, **hours)
    )
    assert [(at - START) // HOUR for at in replayed] == lived(risks, policy)
