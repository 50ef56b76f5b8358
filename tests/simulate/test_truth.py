"""The truth: nothing knowable before it was true, rates at their start, and a ward that can be learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest


def facts(root: Path) -> pl.DataFrame:
    return pl.read_parquet(root / "truth" / "facts.parquet")


def test_nothing_is_knowable_before_it_was_true(root: Path) -> None:
    table = facts(root)
    assert table.filter(pl.col("knowable_time") < pl.col("time")).is_empty()
    assert table.filter(pl.col("time").is_null() & ~pl.col("code").str.starts_with("GENDER")).is_empty()


def test_signals_and_numerics_are_knowable_at_their_end(root: Path) -> None:
    table = facts(root).with_columns((pl.col("knowable_time") - pl.col("time")).dt.total_milliseconds().alias("wait"))
    assert set(table.filter(pl.col("code").str.starts_with("MDC//"))["wait"]) == {60_000}
    signals = table.filter(pl.col("code").str.starts_with("SIGNAL//"))
    assert set(signals["code"]) <= {"SIGNAL//ECG", "SIGNAL//ABP", "SIGNAL//PPG"}
    assert signals["wait"].max() == 60_000
    assert signals["wait"].min() > 0
    assert table.filter(pl.col("code").str.starts_with("IMAGE//"))["wait"].min() >= 5 * 60_000
    totals = table.filter(pl.col("code") == "RXNORM//7512")
    assert (totals["wait"] == 0).all()


def test_later_versions_are_known_later(root: Path) -> None:
    table = facts(root).filter(pl.col("code").str.starts_with("LOINC//"))
    keys = ["identifier", "code", "time"]
    both = table.filter(pl.col("version") == 1).join(table.filter(pl.col("version") == 2), on=keys)
    assert (both["knowable_time_right"] > both["knowable_time"]).all()


def test_charted_and_monitor_heart_rates_agree(root: Path) -> None:
    table = facts(root)
    keys = ["identifier", "time"]
    newest = table.filter(pl.col("code") == "LOINC//8867-4").sort("version").group_by(keys).last()
    charted = newest.filter(pl.col("status") != "entered-in-error")
    monitor = table.filter(pl.col("code") == "MDC//147842").with_columns(pl.col("time").dt.offset_by("1m"))
    pairs = charted.join(monitor, on=keys)
    assert pairs.height >= 10
    assert ((pairs["value"] - pairs["value_right"]).abs() <= 5).mean() > 0.97


def test_counterfactuals_are_of_monitored_patients_only(root: Path) -> None:
    other = pl.read_parquet(root / "truth" / "counterfactual.parquet")
    assert set(other["what"]) == {"no vasopressor", "no fluids or antibiotics"}
    assert other["identifier"].n_unique() == 3
    state = pl.read_parquet(root / "truth" / "state.parquet")
    assert state["identifier"].n_unique() == 7
    assert state.drop_nulls().height == state.height
    onsets = pl.read_parquet(root / "truth" / "onsets.parquet")
    assert set(onsets["kind"]) <= {"sepsis begins", "lung injury begins", "shock", "vasopressor", "respiratory failure"}


@pytest.mark.slow
def test_values_foretell_what_clock_and_missingness_do_not(tmp_path: Path) -> None:
    """An independent logistic regression (Newton's method) on the truth's own charted facts of 400 patients."""
    from clinical_jepa.simulate.ward import simulate

    simulate(tmp_path / "w", subjects=0, seed=21, records_only=400)
    rows = [row for one in facts(tmp_path / "w").partition_by("identifier") for row in _anchors(one)]
    values, clock, missing = (np.array([row[k] for row in rows]) for k in (0, 1, 2))
    label, patient = np.array([row[3] for row in rows]), np.array([row[4] for row in rows])
    assert 0.04 < label.mean() < 0.16
    train = patient % 2 == 0
    scores = [_auroc(_fit(x[train], label[train])(x[~train]), label[~train]) for x in (values, clock, missing)]
    assert scores[0] > 0.78
    assert max(scores[1:]) < 0.65
    assert scores[0] > max(scores[1:]) + 0.12


def _series(one: pl.DataFrame, code: str) -> tuple[np.ndarray, np.ndarray]:
    rows = one.filter(pl.col("code") == code).sort("version").group_by("time").last()
    rows = rows.filter(pl.col("status") != "entered-in-error").sort("time")
    return rows["time"].to_physical().to_numpy() / 60e6, rows["value"].to_numpy()


_CODES = ("LOINC//8867-4", "LOINC//8478-0", "LOINC//9279-1", "LOINC//59408-5", "LOINC//8310-5", "LOINC//3150-6")


def _anchors(one: pl.DataFrame) -> list[tuple]:
    """Hourly moments at which no event goes on: values, clock, missingness, label, patient."""
    series = [_series(one, code) for code in _CODES]
    times, pressures = series[1]
    rates = _series(one, "RXNORM//7512")
    low = np.flatnonzero((pressures[:-1] < 65) & (pressures[1:] < 65))
    found = [*times[low], *times[low + 1], *rates[0]]
    saturation, oxygen = series[3], series[5]
    given = oxygen[1][np.maximum(np.searchsorted(oxygen[0], saturation[0], side="right") - 1, 0)]
    events = np.sort(np.array([*found, *saturation[0][(saturation[1] < 90) & (given >= 50)]]))
    start, end = times[0], times[-1]
    rows = []
    for t in np.arange(start + 120, end - 480, 60):
        if ((events <= t) & (events > t - 240)).any():
            continue
        recent = [_recent(*one_series, t) for one_series in series]
        seen = times[times <= t]
        missing = [t - seen[-1], (seen > t - 240).sum(), len(seen) / (t - start)]
        label = ((events > t) & (events <= t + 480)).any()
        clock = [t - start, np.sin(t / 1440 * 6.283), np.cos(t / 1440 * 6.283)]
        rows.append((np.concatenate(recent), clock, missing, float(label), int(one["identifier"][0])))
    return rows


def _recent(times: np.ndarray, values: np.ndarray, t: float) -> list[float]:
    """Newest value, its rise over the mean of the past, and that mean."""
    past = values[times <= t]
    return [past[-1], past[-1] - past.mean(), past[-4:].mean()] if len(past) else [np.nan] * 3


def _fit(x: np.ndarray, y: np.ndarray):
    mean, spread = np.nanmean(x, 0), np.nanstd(x, 0) + 1e-9

    def design(z: np.ndarray) -> np.ndarray:
        return np.hstack([np.nan_to_num((z - mean) / spread), np.ones((len(z), 1))])

    a, w = design(x), np.zeros(x.shape[1] + 1)
    for _ in range(12):
        p = 1 / (1 + np.exp(-a @ w))
        hessian = (a * (p * (1 - p))[:, None]).T @ a + np.eye(len(w))
        w += np.linalg.solve(hessian, a.T @ (y - p) - w)
    return lambda z: design(z) @ w


def _auroc(scores: np.ndarray, label: np.ndarray) -> float:
    ranks = np.argsort(np.argsort(scores)) + 1.0
    positive = label == 1
    n = positive.sum()
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (~positive).sum()))
