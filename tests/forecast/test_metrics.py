"""Ranking and calibration: vectors computed by hand, scikit-learn as an independent oracle, laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from clinical_jepa.forecast import metrics

LABELS = np.array([1, 0, 1, 0, 1, 0, 0, 0])
SCORES = np.array([0.9, 0.8, 0.8, 0.7, 0.4, 0.4, 0.3, 0.1])
P = np.array([0.1] * 4 + [0.5] * 3 + [0.9] * 3)
Y = np.array([0, 0, 0, 1, 0, 1, 1, 1, 1, 0])

rows = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), min_size=2, max_size=60)


def test_ranking_vectors():
    assert metrics.auroc(LABELS, SCORES) == pytest.approx(12 / 15)
    assert metrics.auprc(LABELS, SCORES) == pytest.approx(0.722222, abs=1e-6)


@settings(deadline=None)
@given(rows)
def test_ranking_equals_scikit_learn(pairs):
    labels, scores = (np.array(column) for column in zip(*pairs, strict=True))
    if labels.min() == labels.max():
        assert math.isnan(metrics.auroc(labels, scores))
        assert math.isnan(metrics.auprc(labels, scores))
        return
    assert metrics.auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    assert metrics.auprc(labels, scores) == pytest.approx(average_precision_score(labels, scores))


@given(rows)
def test_ranking_ignores_a_rising_change_of_scale_and_turns_with_the_sign(pairs):
    labels, scores = (np.array(column) for column in zip(*pairs, strict=True))
    same = metrics.auroc(labels, np.exp(3 * scores))
    assert same == pytest.approx(metrics.auroc(labels, scores), nan_ok=True)
    assert metrics.auroc(labels, -scores) == pytest.approx(1 - metrics.auroc(labels, scores), nan_ok=True)


def test_an_unscored_row_is_an_error():
    with pytest.raises(ValueError, match="every row must be scored"):
        metrics.auroc(LABELS, np.where(LABELS == 1, np.nan, SCORES))


def test_calibration_vectors():
    assert metrics.brier(Y, P) == pytest.approx(0.242)
    assert metrics.brier_skill(Y, P) == pytest.approx(0.032)
    table = metrics.reliability(Y, P, bins=10)
    assert metrics.ece(table) == pytest.approx(0.18)
    slope, intercept = metrics.calibration_slope_intercept(Y, P)
    assert slope == pytest.approx(0.424502, abs=1e-6)
    assert intercept == pytest.approx(0.100209, abs=1e-6)
    assert metrics.calibration_in_the_large(Y, P) == pytest.approx(0.287936, abs=1e-6)


def test_bins_are_closed_on_the_left_and_the_last_on_both_sides():
    table = metrics.reliability(np.array([0, 1, 1]), np.array([0.5, 1.0, 0.99]), bins=2)
    assert [(row.low, row.high, row.count) for row in table] == [(0.5, 1.0, 3)]
    assert [row.count for row in metrics.reliability(np.array([0, 1]), np.array([0.1, 0.2]), bins=10)] == [1, 1]


def test_bins_of_equal_mass_keep_every_row_and_equal_probabilities_together():
    p = np.concatenate((np.full(50, 0.02), np.linspace(0.05, 0.9, 50)))
    table = metrics.reliability_by_mass(np.zeros(100), p, bins=5)
    assert sum(row.count for row in table) == 100
    assert table[0].count >= 50


def test_one_class_has_no_slope():
    assert math.isnan(metrics.calibration_slope_intercept(np.ones(4), P[:4])[0])
    assert math.isnan(metrics.brier_skill(np.ones(4), P[:4]))
    assert math.isnan(metrics.ece(()))


def test_true_probabilities_have_slope_one():
    rng = np.random.default_rng(3)
    p = rng.uniform(0.02, 0.98, 40_000)
    y = (rng.random(len(p)) < p).astype(int)
    slope, intercept = metrics.calibration_slope_intercept(y, p)
    assert slope == pytest.approx(1, abs=0.03)
    assert intercept == pytest.approx(0, abs=0.03)
    assert metrics.ece(metrics.reliability(y, p)) < 0.01
