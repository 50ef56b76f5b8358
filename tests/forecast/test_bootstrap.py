"""A replicate is the plain metric on the drawn patients' rows, written out; draws are paired and by patient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.forecast import bootstrap, metrics

PLAIN = {"auroc": metrics.auroc, "auprc": metrics.auprc, "brier": metrics.brier}
rows = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 1), st.sampled_from([0.1, 0.2, 0.5, 0.7])), min_size=3, max_size=40
)


@pytest.mark.parametrize("metric", ["auroc", "auprc", "brier"])
@settings(deadline=None, max_examples=40)
@given(rows=rows)
def test_a_replicate_is_the_metric_on_the_rows_written_out(metric, rows):
    subjects, labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    draws = bootstrap.draw(subjects, replicates=8, seed=1)
    found = bootstrap.replicates(metric, labels, scores, draws)
    for counts, value in zip(draws.counts, found, strict=True):
        written = np.repeat(np.arange(len(rows)), counts[draws.patient].astype(int))
        assert value == pytest.approx(PLAIN[metric](labels[written], scores[written]), nan_ok=True)


def test_rows_of_one_patient_do_not_narrow_the_interval():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 60), rng.random(60)
    once = bootstrap.interval("auroc", labels, scores, bootstrap.draw(np.arange(60)))
    copied = [np.repeat(array, 20) for array in (labels, scores, np.arange(60))]
    often = bootstrap.interval("auroc", copied[0], copied[1], bootstrap.draw(copied[2]))
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    by_row = bootstrap.interval("auroc", copied[0], copied[1], bootstrap.draw(np.arange(1200)))  # the planted fault
    assert by_row.high - by_row.low < 0.5 * (once.high - once.low)


def test_replicates_with_one_class_are_counted():
    found = bootstrap.interval("auroc", np.array([1, 0, 0]), np.array([0.9, 0.1, 0.2]), bootstrap.draw(np.arange(3)))
    assert found.replicates == 1000
    assert 200 < found.one_class < 500
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_equal_seeds_give_paired_draws():
    subjects = np.repeat(np.arange(30), 3)
    assert (bootstrap.draw(subjects, seed=4).counts == bootstrap.draw(subjects, seed=4).counts).all()
    assert (bootstrap.draw(subjects).counts.sum(axis=1) == 30).all()


def test_coverage_is_near_its_level():
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(60):
        labels = np.repeat([0, 1], 50)
        scores = rng.normal(loc=labels, size=100)
        found = bootstrap.interval("auroc", labels, scores, bootstrap.draw(np.arange(100), 300, seed=trial))
        covered += found.low <= 0.7602 <= found.high  # the AUROC of two normals one deviation apart
    assert covered >= 51
