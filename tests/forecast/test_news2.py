"""NEWS2 against the published table: nine charts, every edge, and what is missing stays missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.forecast.news2 import PARAMETERS, consciousness_of_gcs, news2, oxygen_of_fio2

# RR, SpO2, oxygen, SBP, HR, ACVPU, T, scale -> points in this order, total, band
CHARTS = [
    ((22, 93, True, 105, 115, "A", 38.6, 1), (2, 2, 2, 1, 2, 0, 1), 10, "high"),
    ((18, 93, True, 130, 80, "A", 36.8, 2), (0, 1, 2, 0, 0, 0, 0), 3, "low"),
    ((16, 97, True, 120, 75, "A", 36.5, 2), (0, 3, 2, 0, 0, 0, 0), 5, "medium"),
    ((16, 97, False, 120, 75, "A", 36.5, 2), (0, 0, 0, 0, 0, 0, 0), 0, "low"),
    ((16, 98, False, 120, 75, "C", 36.5, 1), (0, 0, 0, 0, 0, 3, 0), 3, "low-medium"),
    ((25, 96, False, 120, 80, "A", 37.0, 1), (3, 0, 0, 0, 0, 0, 0), 3, "low-medium"),
    ((24, 94, False, 220, 51, "A", 39.1, 1), (2, 1, 0, 3, 0, 0, 2), 8, "high"),
    ((8, 83, True, 90, 131, "U", 35.0, 2), (3, 3, 2, 3, 3, 3, 3), 20, "high"),
    ((20, 96, False, 111, 90, "A", 38.0, 1), (0, 0, 0, 0, 0, 0, 0), 0, "low"),
]
NORMAL = {"resp_rate": 16.0, "spo2": 98.0, "sbp": 120.0, "heart_rate": 75.0, "temperature": 37.0}


@pytest.mark.parametrize(("chart", "points", "total", "band"), CHARTS)
def test_the_published_charts(chart, points, total, band):
    rr, spo2, oxygen, sbp, hr, acvpu, temperature, scale = chart
    values = {"resp_rate": rr, "spo2": spo2, "sbp": sbp, "heart_rate": hr, "temperature": temperature}
    found = news2(values, oxygen, acvpu, scale=scale)
    assert tuple(found.components[name] for name in PARAMETERS) == points
    assert (found.score, found.band, found.missing) == (total, band, ())


EDGES = {
    "resp_rate": [(8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3), (8.5, 1), (20.49, 0)],
    "spo2": [(91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (95.5, 0)],
    "sbp": [(90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3), (219.5, 3)],
    "heart_rate": [(40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2), (130, 2), (131, 3)],
    "temperature": [(35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1), (39.0, 1), (39.1, 2), (38.05, 1)],
}


@pytest.mark.parametrize(("name", "value", "points"), [(n, v, p) for n, rows in EDGES.items() for v, p in rows])
def test_every_edge_also_as_float32(name, value, points):
    for number in (value, float(np.float32(value))):
        assert news2({**NORMAL, name: number}, False, "A").components[name] == points


def test_scale_two_between_air_and_oxygen():
    on = {
        value: news2({"spo2": value}, True, None, scale=2).components["spo2"] for value in (83, 85, 87, 92, 94, 96, 97)
    }
    assert on == {83: 3, 85: 2, 87: 1, 92: 0, 94: 1, 96: 2, 97: 3}
    assert news2({"spo2": 97.0}, False, None, scale=2).components["spo2"] == 0
    assert "spo2" in news2({"spo2": 97.0}, None, None, scale=2).missing
    assert news2({"spo2": 90.0}, None, None, scale=2).components["spo2"] == 0


def test_oxygen_alone_is_never_a_single_parameter_at_three():
    assert news2(NORMAL, True, "A").band == "low"


@given(st.sets(st.sampled_from(sorted(NORMAL))), st.sampled_from([None, False]), st.sampled_from([None, "A"]))
def test_what_is_missing_is_named_and_never_scored(kept, oxygen, acvpu):
    found = news2({name: NORMAL[name] for name in kept}, oxygen, acvpu)
    assert set(found.missing) | set(found.components) == set(PARAMETERS)
    assert not set(found.missing) & set(found.components)
    assert (found.score is None) == (len(found.missing) == len(PARAMETERS))
    assert (found.band is None) == (found.score is None)


def test_not_a_number_is_missing_and_a_wrong_letter_an_error():
    assert "sbp" in news2({**NORMAL, "sbp": float("nan")}, False, "A").missing
    with pytest.raises(ValueError, match="one of A, C, V, P, U"):
        news2(NORMAL, False, "X")


def test_stand_ins_for_consciousness_and_oxygen():
    assert [consciousness_of_gcs(x) for x in (None, 15.0, 14.0)] == [None, "A", "V"]
    assert [oxygen_of_fio2(x) for x in (None, 21.0, 28.0)] == [None, False, True]
