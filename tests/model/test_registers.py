from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.model.config import ModelConfig
from clinical_jepa.model.memory import registers, state
from clinical_jepa.records.instant import HOUR, MINUTE

CONFIG = ModelConfig()
START = 10**15


def fresh(rows: int = 1) -> np.ndarray:
    return state.empty(CONFIG, np.ones(CONFIG.heads), rows)["registers"]


def fill(times: np.ndarray, values: np.ndarray, code: int = 3) -> np.ndarray:
    kept = fresh()
    n = len(times)
    registers.update(kept, row=np.zeros(n, int), code=np.full(n, code), time=times, value=values)
    return kept


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 40))
def test_statistics_are_those_of_the_weighted_sample(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    times = START + rng.integers(0, 30 * 60, count) * MINUTE  # in no order: late ones too
    values = rng.normal(80, 10, count)
    kept = fill(times, values)[0, 3]
    newest = times.max()
    assert kept["last"] == values[np.flatnonzero(times == newest)[-1]]
    assert (kept["at"], kept["count"]) == (newest, count)
    for i, half_life in enumerate(registers.HALF_LIVES):
        w = 0.5 ** ((newest - times) / HOUR / half_life)
        mean = np.average(values, weights=w)
        assert kept["mean"][i] == pytest.approx(mean, rel=1e-9)
        assert registers.sd(kept)[i] ** 2 == pytest.approx(np.average((values - mean) ** 2, weights=w), abs=1e-7)
    if len(set(times)) > 2:
        w = 0.5 ** ((newest - times) / HOUR / 6)
        expected = np.polyfit((times - newest) / HOUR, values, 1, w=np.sqrt(w))[0]
        assert registers.slope(kept) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_updates_in_pieces_and_in_company_give_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    n, rows = 400, 7
    row, code = rng.integers(0, rows, n), rng.integers(0, 5, n)
    time, value = START + np.sort(rng.integers(0, HOUR * 20, n)), rng.normal(size=n)
    value[::9] = np.nan
    whole, pieces = fresh(rows), fresh(rows)
    registers.update(whole, row=row, code=code, time=time, value=value)
    for a in range(0, n, 37):
        s = slice(a, a + 37)
        for r in range(rows):
            mine = row[s] == r
            registers.update(
                pieces[r : r + 1],
                row=np.zeros(mine.sum(), int),
                code=code[s][mine],
                time=time[s][mine],
                value=value[s][mine],
            )
    assert whole.tobytes() == pieces.tobytes()


def test_features_are_named_finite_and_bounded() -> None:
    kept = fresh(3)
    registers.update(
        kept,
        row=np.array([0, 0, 1, 2, 2]),
        code=np.array([0, 6, 0, 69, 6]),
        time=np.array([START, START, START, START, START + 30 * 24 * HOUR]),
        value=np.array([1e9, 40.0, np.nan, np.nan, 60.0]),
    )
    found = registers.features(
        kept,
        origin=np.full(3, START),
        now=np.full(3, START + 2 * HOUR),
        center=np.full(CONFIG.codes, 70.0),
        scale=np.full(CONFIG.codes, 10.0),
    )
    names = registers.names(CONFIG.codes)
    assert found.shape == (3, len(names)) == (3, CONFIG.codes * len(registers.PER_CODE) + 2)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 8.001
    value = dict(zip(names, found[0], strict=True))
    assert value["LOINC//8478-0/last"] == pytest.approx(-3.0)
    assert value["LOINC//8478-0/age"] == pytest.approx(np.log1p(2) / 3)
    assert (value["LOINC//8478-0/seen"], value["LOINC//9279-1/seen"]) == (1, 0)
    second = dict(zip(names, found[1], strict=True))
    assert (second["LOINC//8867-4/seen"], second["LOINC//8867-4/last"]) == (1, 0)


def test_a_monitor_speaks_for_its_charted_code_when_it_is_newer() -> None:
    kept = fresh()
    registers.update(
        kept,
        row=np.zeros(2, int),
        code=np.array([0, 58]),
        time=np.array([START, START + HOUR]),
        value=np.array([70.0, 90.0]),
    )
    parents = np.arange(CONFIG.codes)
    parents[58] = 0
    value, at = registers.group_values(kept, parents)
    assert (value[0, 0], at[0, 0]) == (90.0, START + HOUR)
    assert np.isnan(value[0, 1])
