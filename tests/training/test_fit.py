"""Rows, heads, policy: what reaches them, what they say, and that no test patient is ever read."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from clinical_jepa.forecast.policies import from_json
from clinical_jepa.forecast.tasks import load_task
from clinical_jepa.model import checkpoint
from clinical_jepa.model.forecaster import JepaForecaster, load_forecaster
from clinical_jepa.model.heads import load_heads
from clinical_jepa.records.errors import TrainingFailed
from clinical_jepa.records.instant import BEGINNING, END, HOUR
from clinical_jepa.timeline.slices import slices
from clinical_jepa.training import anchor_files, linear, quantile_heads
from clinical_jepa.training import fit as fitting
from clinical_jepa.training.anchors import collect
from clinical_jepa.training.splits import split
from tests.training.small_store import HOURS, START, build, save_untrained

TASK = load_task("deterioration-8h")


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    store = build(folder / "store")
    save_untrained(folder / "model", store)
    return store, folder / "model"


@pytest.fixture(scope="module")
def rows(ward):
    store, model = ward
    return collect(JepaForecaster(checkpoint.load(model)), store, TASK, subjects=range(1, 31), vitals_max_age=6 * HOUR)


@pytest.fixture(scope="module")
def report(ward):
    store, model = ward
    return fitting.fit(TASK, model, store)


def test_rows_stand_after_the_warm_up_and_a_horizon_before_the_end(rows):
    assert rows.time.min() >= START + TASK.warm_up
    assert rows.time.max() <= START + HOURS * HOUR - TASK.horizon
    assert (rows.time % HOUR == 0).all()
    assert set(np.unique(rows.label[np.isfinite(rows.label)])) == {0.0, 1.0}


def test_a_row_does_not_depend_on_the_other_patients(ward, rows):
    store, model = ward
    alone = collect(JepaForecaster(checkpoint.load(model)), store, TASK, subjects=[10, 15], vitals_max_age=6 * HOUR)
    mine = rows.of([10, 15])
    assert alone.time.tolist() == mine.time.tolist()
    assert (alone.z == mine.z).all()
    assert (alone.registers == mine.registers).all()


def test_after_a_correction_a_row_is_what_the_history_as_known_then_gives(ward, rows):
    store, model = ward
    forecaster, at = JepaForecaster(checkpoint.load(model)), START + 9 * HOUR
    mine = rows.of([10]).where(rows.of([10]).time == at)  # patient 10 has a value corrected before that
    piece = slices(store.history(10, as_of=at), subjects=[10], since=BEGINNING, load=store.samples)[10]
    memory = forecaster.step([forecaster.initial(10)], [piece])[0].memory
    assert (forecaster.features([memory]).z == mine.z).all()


def test_targets_are_the_newest_values_of_their_windows(ward, rows):
    store, _ = ward
    events = store.history(7, as_of=END).events.to_pylist()
    mine = rows.of([7])
    hearts = sorted((row["time"], row["numeric_value"]) for row in events if row["code"] == TASK.vitals[0])
    for i in range(len(mine.time)):
        for h, horizon in enumerate(TASK.horizons):
            end = mine.time[i] + horizon
            start = end - {0: HOUR // 2, 1: HOUR // 2, 2: HOUR, 3: HOUR}[h]
            inside = [value for time, value in hearts if start < time.timestamp() * 1e6 + _offset(time) <= end]
            expected = inside[-1] if inside else np.nan
            assert mine.targets[i, 0, h] == pytest.approx(expected, nan_ok=True)


def _offset(time) -> float:
    """The store's times have no zone and mean UTC; ``timestamp`` of such a time assumes the machine's zone."""
    from datetime import UTC

    return (time.replace(tzinfo=UTC).timestamp() - time.timestamp()) * 1e6


def test_a_fit_is_served_as_it_was_fitted(ward, report):
    store, model = ward
    forecaster = load_forecaster(model)
    policy = from_json((model / "policy.json").read_bytes(), model_id=forecaster.model_id)
    assert (policy.policy_id, policy.model_id) == (report.policy_id, report.model_id)
    assert report.calibration_auroc > 0.75
    assert 0.6 < report.band_coverage <= 1.0
    assert 0 < policy.clear_below < policy.threshold
    kept = anchor_files.load(model, anchor_files.basis(checkpoint.load(model).identity, store, TASK, forecaster.names))
    one = kept.where(np.arange(1))
    subject, at = int(one.subject[0]), int(one.time[0])
    piece = slices(store.history(subject, as_of=at), subjects=[subject], since=BEGINNING, load=store.samples)[subject]
    step = forecaster.step([forecaster.initial(subject)], [piece])[0]
    assert step.score == pytest.approx(fitting.scores(load_heads(model), one)[0], abs=1e-5)
    assert json.loads((model / "fit.json").read_text())["policy_id"] == policy.policy_id


def test_no_test_patient_is_read(ward, report):
    store, model = ward
    names = JepaForecaster(checkpoint.load(model)).names
    kept = anchor_files.load(model, anchor_files.basis(checkpoint.load(model).identity, store, TASK, names))
    assert not set(kept.subject.tolist()) & set(split(store.extents(END)).test)


def test_a_leak_of_test_patients_stops_the_fit_and_changes_nothing(ward, report, monkeypatch):
    store, model = ward
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    honest = fitting.collect

    def leaky(forecaster, store, task, *, subjects, **rest):  # the planted fault: it takes whoever is there
        return honest(forecaster, store, task, subjects=store.extents(END), **rest)

    monkeypatch.setattr(fitting, "collect", leaky)
    with pytest.raises(TrainingFailed, match="must not be learned from"):
        fitting.fit(TASK, model, store)
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before


def corrupted(rows, subjects):
    """Rows in which all that could be learned from these subjects is nonsense."""
    rng, theirs = np.random.default_rng(5), np.isin(rows.subject, subjects)
    assert theirs.any()

    def nonsense(values):
        drawn = rng.normal(500, 100, values.shape).astype(values.dtype)
        return np.where(theirs.reshape(-1, *[1] * (values.ndim - 1)), drawn, values)

    label = np.where(theirs, rng.integers(0, 2, len(theirs)), rows.label).astype(np.float32)
    changed = {name: nonsense(getattr(rows, name)) for name in ("z", "registers", "newest", "targets")}
    return replace(rows, label=label, **changed)


def test_heads_learn_from_training_patients_and_choose_by_tuning_patients(rows):
    parts = split(range(1, 31))
    others = corrupted(rows, (*parts.calibration, *parts.test))
    honest, found = (fitting.fit_heads(some, parts, TASK)[0] for some in (rows, others))
    for field in fields(honest):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(honest, field.name), err_msg=field.name)


def test_tuning_patients_only_choose(rows, monkeypatch):
    """With one penalty, and one step at which quantiles are kept, nothing is left for them to decide."""
    monkeypatch.setattr(linear, "PENALTIES", (1e-2,))
    monkeypatch.setattr(quantile_heads, "CHECK", quantile_heads.STEPS + 1)
    parts = split(range(1, 31))
    honest, found = (fitting.fit_heads(some, parts, TASK)[0] for some in (rows, corrupted(rows, parts.tuning)))
    assert np.any(honest.risk_weight)
    for field in fields(honest):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(honest, field.name), err_msg=field.name)


@pytest.mark.parametrize("others", [("train", "test"), ("train", "tuning", "test")])
def test_calibration_margins_and_novelty_are_of_calibration_patients(ward, rows, others):
    """Tuning patients have a say in the threshold alone."""
    parts = split(range(1, 31))
    fitted, _ = fitting.fit_heads(rows, parts, TASK)
    rest = {"store": ward[0], "task": TASK, "model_id": "m", "config": fitting.FitConfig()}
    changed = corrupted(rows, [one for name in others for one in getattr(parts, name)])
    honest, found = (fitting.fit_policy(some, parts, fitted, **rest)[0] for some in (rows, changed))
    for name in ("calibration_scores", "calibration_p0", "calibration_p1", "band_margin", "novelty_scores"):
        np.testing.assert_array_equal(getattr(found, name), getattr(honest, name), err_msg=name)
    if "tuning" not in others:
        assert found.policy_id == honest.policy_id


def test_a_store_too_short_to_ask_in_is_refused(ward):
    store, model = ward
    with pytest.raises(TrainingFailed, match="longer stays"):
        fitting.fit(replace(TASK, horizon=48 * HOUR), model, store)


def test_kept_rows_come_back_and_only_for_their_basis(tmp_path, rows):
    anchor_files.save(tmp_path, rows, "a")
    back = anchor_files.load(tmp_path, "a")
    assert back.names == rows.names
    for name in ("subject", "time", "label", "z", "registers", "newest", "targets", "news2"):
        np.testing.assert_array_equal(getattr(back, name), getattr(rows, name))
    assert anchor_files.load(tmp_path, "b") is None


def test_a_linear_fit_finds_the_direction_and_survives_one_class():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 5)).astype(np.float32)
    x[:, 4] = 7.0  # never varies
    y = (rng.random(3000) < 1 / (1 + np.exp(-(2 * x[:, 0] - x[:, 1])))).astype(np.float32)
    found = linear.fit(x[:2000], y[:2000], x[2000:], y[2000:])
    assert found.weight[:2] == pytest.approx([2, -1], abs=0.25)
    assert found.weight[4] == 0
    flat = linear.fit(x, np.zeros(3000, np.float32), x, y)
    assert np.allclose(flat.score(x), np.log(1e-4 / (1 - 1e-4)))


def test_quantile_heads_hold_their_share():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6000, 3)).astype(np.float32)
    change = (10 * x[:, 0] + rng.normal(0, 5, 6000))[:, None, None]
    change[::7] = np.nan
    weight, bias = quantile_heads.fit(x[:5000], change[:5000], x[5000:], change[5000:], quantiles=(0.1, 0.5, 0.9))
    found = x[5000:] @ weight[0, 0].T + bias[0, 0]
    known = np.isfinite(change[5000:, 0, 0])
    shares = (change[5000:, 0, :] <= found)[known].mean(axis=0)
    assert shares == pytest.approx([0.1, 0.5, 0.9], abs=0.06)
    assert weight[0, 0, 1, 0] == pytest.approx(10, abs=1.0)


def test_pinball_of_unknown_rows_is_nothing():
    nothing = quantile_heads.pinball(torch.zeros(2, 1, 1, 1), torch.full((2, 1, 1), torch.nan), torch.tensor([0.5]))
    assert float(nothing) == 0.0
