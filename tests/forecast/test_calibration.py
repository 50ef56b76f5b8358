"""Venn–Abers against refitting with scikit-learn, conformal vectors and coverage, what may be told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from clinical_jepa.forecast import conformal, venn_abers
from clinical_jepa.forecast.calibrate import bands, risk
from tests.forecast.builders import build_policy, minute


def test_venn_abers_vector():
    table = venn_abers.fit(np.arange(1, 9) / 10, np.array([0, 0, 1, 0, 1, 0, 1, 1]))
    p0, p1 = venn_abers.apply(table, np.array([0.05, 0.35, 0.5, 0.9]))
    assert p0 == pytest.approx([0, 1 / 3, 0.4, 2 / 3])
    assert p1 == pytest.approx([1 / 3, 0.6, 2 / 3, 1])
    assert venn_abers.merge(p0, p1) == pytest.approx([0.25, 0.473684, 0.526316, 0.75], abs=1e-6)


pairs = st.lists(st.tuples(st.integers(-3, 8), st.integers(0, 1)), min_size=1, max_size=25)


@settings(deadline=None)
@given(pairs, st.one_of(st.integers(-5, 10), st.floats(-5, 10, width=16)))
def test_venn_abers_equals_two_isotonic_fits(rows, score):
    scores, labels = (np.array(column, float) for column in zip(*rows, strict=True))
    found = venn_abers.apply(venn_abers.fit(scores, labels), np.array([score]))
    for label in (0, 1):
        refit = IsotonicRegression().fit(np.append(scores, score), np.append(labels, label)).predict([score])
        assert found[label][0] == pytest.approx(refit[0], abs=1e-9)
    assert found[0][0] <= found[1][0]


def test_split_conformal_vector():
    scores = np.arange(1, 10) / 10
    assert conformal.conformal_quantile(scores, 0.2) == 0.8
    assert conformal.conformal_quantile(scores, 0.05) == math.inf


def test_split_conformal_covers_new_patients():
    rng = np.random.default_rng(0)
    hits = [rng.normal() <= conformal.conformal_quantile(rng.normal(size=19), 0.1) for _ in range(3000)]
    assert 0.885 <= np.mean(hits) <= 0.965  # 1 - alpha <= coverage <= 1 - alpha + 1 / (n + 1), and noise


def test_a_margin_uses_one_score_of_each_patient():
    low, high, truth = np.zeros(6), np.ones(6), np.array([5.0, 5, 5, 5, 1.5, np.nan])
    subjects = np.array([1, 1, 1, 1, 2, 3])
    scores = conformal.cqr_scores(low, high, truth)
    assert sorted(conformal.one_per_patient(scores, subjects)) == [0.5, 4.0]
    assert sorted(conformal.max_per_patient(scores, subjects)) == [0.5, 4.0]
    assert conformal.cqr_margin(low, high, truth, subjects, alpha=0.4) == 4.0
    assert conformal.cqr_margin(low, high, truth, subjects, alpha=0.1) == math.inf


def test_a_margin_may_narrow_a_band_that_is_too_wide():
    subjects = np.arange(99)
    assert conformal.cqr_margin(np.full(99, -2.0), np.full(99, 2.0), np.zeros(99), subjects, alpha=0.2) == -2.0


def test_p_values_are_uniform_at_most():
    calibration = np.array([1.0, 2.0, 3.0])
    assert [conformal.p_value(calibration, x) for x in (0.5, 2.0, 2.5, 9.0)] == [1.0, 0.75, 0.5, 0.25]
    assert conformal.p_value(calibration, math.nan) == 0.0
    assert conformal.p_value(calibration, math.inf) == 0.0


def test_risk_and_its_interval_come_from_the_table():
    table = venn_abers.fit(np.arange(1, 9) / 10, np.array([0, 0, 1, 0, 1, 0, 1, 1]))
    policy = build_policy(calibration_scores=table[0], calibration_p0=table[1], calibration_p1=table[2])
    assert risk(policy, 0.35) == pytest.approx((0.473684, 1 / 3, 0.6), abs=1e-6)


def test_bands_are_widened_ordered_and_plausible():
    margin = np.zeros((4, 4))
    margin[0, 0], margin[0, 1], margin[0, 2] = 5.0, -50.0, math.inf
    quantiles = np.broadcast_to(np.array([70.0, 80.0, 95.0]), (4, 4, 3)).copy()
    quantiles[1, 0] = np.nan
    quantiles[3, 0] = (97.0, 99.0, 104.0)
    found = {(band.code, band.at): band for band in bands(build_policy(band_margin=margin), quantiles, minute(0))}
    heart = "LOINC//8867-4"
    wide, narrow, open_ = (found[heart, minute(at)] for at in (30, 60, 240))
    assert (wide.low, wide.median, wide.high) == (65.0, 80.0, 100.0)
    assert (narrow.low, narrow.median, narrow.high) == (80.0, 80.0, 80.0)
    assert (open_.low, open_.high) == (0.0, 350.0)
    assert found["LOINC//59408-5", minute(30)].high == 100.0  # no saturation above 100 %
    assert ("LOINC//8478-0", minute(30)) not in found
    assert len(found) == 15
