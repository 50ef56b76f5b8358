"""The threshold keeps to the budget and catches as much as it may; where none can, none is raised and it says so."""

from __future__ import annotations

import numpy as np
import pytest

from clinical_jepa.forecast.alert_counting import Rules
from clinical_jepa.forecast.tasks import load_task
from clinical_jepa.records.instant import HOUR
from clinical_jepa.training import thresholds
from clinical_jepa.training.anchors import Anchors
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


def test_the_budget_is_kept_and_used(store):
    known = rows()
    risks = np.where(known.subject % 3 == 0, 0.6, 0.05) + 0.001 * (known.subject % 2)
    few = thresholds.choose(known, risks, store=store, task=TASK, budget=1.0, rules=rules)
    many = thresholds.choose(known, risks, store=store, task=TASK, budget=100.0, rules=rules)
    assert few.threshold > 0.5 > many.threshold
    assert few.burden.per_patient_day <= 1.0 < many.burden.per_patient_day
    assert 0 < few.burden.recall <= many.burden.recall


def test_no_threshold_within_the_budget_raises_nothing_and_says_so(store):
    known = rows()
    found = thresholds.choose(known, np.full(len(known.time), 0.4), store=store, task=TASK, budget=0.1, rules=rules)
    assert found.threshold == thresholds.NEVER
    assert found.burden.alerts == 0
    assert "no threshold" in found.note
