"""The table end to end on a small store, its arithmetic on planted scores, and what each baseline may see."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from clinical_jepa.evaluate import baselines, leaderboard, scoring
from clinical_jepa.evaluate.leaderboard import evaluate
from clinical_jepa.forecast import bootstrap
from clinical_jepa.forecast.tasks import load_task
from clinical_jepa.model import checkpoint
from clinical_jepa.model.forecaster import JepaForecaster
from clinical_jepa.records.errors import BadRequest, TrainingFailed
from clinical_jepa.records.instant import END, HOUR
from clinical_jepa.store.events import Store
from clinical_jepa.training import fit as fitting
from clinical_jepa.training.anchors import collect
from clinical_jepa.training.splits import split
from tests.training.small_store import build, save_untrained

TASK = load_task("deterioration-8h")
NAMES = {
    "model",
    "trained z alone",
    "untrained z alone",
    "untrained z + registers",
    "registers, linear",
    "LightGBM on summaries",
    "NEWS2",
    "clock only",
    "missingness only",
}


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    store = build(folder / "store", subjects=70)
    save_untrained(folder / "model", store)
    fitting.fit(TASK, folder / "model", store)
    return store, folder / "model"


@pytest.fixture(scope="module")
def board(ward):
    store, model = ward
    told = []
    made = evaluate(model, store, TASK, draws=200, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    return made


@pytest.fixture(scope="module")
def rows(ward):
    store, model = ward
    forecaster = JepaForecaster(checkpoint.load(model))
    return collect(forecaster, store, TASK, subjects=range(1, 41), vitals_max_age=6 * HOUR)


def test_every_row_is_there_and_rests_on_test_patients_alone(ward, board):
    store, _ = ward
    assert {row.name for row in board.rows} == NAMES
    assert board.rows[0].name == "model"
    assert 0 < board.subjects <= len(split(store.extents(END)).test)
    assert 0 < board.positives < board.anchors
    assert board.prevalence == board.positives / board.anchors


def test_values_beat_the_clock_and_what_was_measured(board):
    assert board.row("model").auroc.value > 0.75
    assert board.beats("clock only")
    assert board.beats("missingness only")
    assert not board.beats("model")
    assert board.row("clock only").auroc.low < 0.6


def test_the_table_is_plain_json_and_text(board):
    content = json.loads(json.dumps(board.to_dict(), allow_nan=False))
    assert content["rows"][0]["auroc"]["value"] == board.row("model").auroc.value
    lines = board.lines()
    assert [line[""] for line in lines] == [row.name for row in board.rows]
    assert lines[0]["model − row, AUROC"] == ""
    assert lines[1]["model − row, AUROC"][0] in "+-"


def test_another_ward_is_tested_whole_and_latent_zero_has_its_row(ward, board, tmp_path):
    store, model = ward
    other = build(tmp_path / "other", subjects=24, seed=1)
    made = evaluate(model, other, TASK, train_store=store, latent_zero=model, draws=50)
    assert made.subjects > 15
    assert made.row("latent weight 0").auroc == made.row("model").auroc  # it is the same model here
    assert made.row("latent weight 0").auroc_behind.high == 0


def test_who_is_tested_on_is_the_test_part_or_another_ward_whole(ward, tmp_path):
    store, _ = ward
    parts = split(store.extents(END))
    for learned in (None, store, Store.open(store.path)):
        wards = leaderboard._wards(store, learned)
        assert wards.test_subjects == parts.test
        assert not set(wards.test_subjects) & set(wards.learners)
    other = build(tmp_path / "other", subjects=5, seed=1)
    wards = leaderboard._wards(other, store)
    assert wards.test_subjects == (1, 2, 3, 4, 5)
    assert wards.splits == parts


@pytest.mark.parametrize("part", ["train", "tuning", "calibration"])
def test_patients_who_were_learned_from_stop_the_evaluation(ward, monkeypatch, part):
    store, model = ward
    wards = leaderboard._wards(store, None)
    one = getattr(wards.splits, part)[:3]
    planted = replace(wards, test_subjects=(*wards.test_subjects, *one))
    monkeypatch.setattr(leaderboard, "_wards", lambda store, train_store: planted)
    with pytest.raises(TrainingFailed, match="3 patients who were learned from are among those to test on"):
        evaluate(model, store, TASK, draws=10)


def test_a_model_without_a_fit_is_refused(ward, tmp_path):
    store, _ = ward
    save_untrained(tmp_path / "bare", store)
    with pytest.raises(BadRequest, match="run: clinical-jepa fit"):
        evaluate(tmp_path / "bare", store, TASK)


def test_clock_and_missingness_do_not_see_a_value(rows):
    """Everything that holds a value is scrambled: neither input changes, and the registers' own do."""
    rng = np.random.default_rng(0)
    names = rows.names[rows.z.shape[1] :]
    holds = [i for i, name in enumerate(names) if name.rpartition("/")[2] not in ("seen", "age", "recent", "count")]
    holds = [i for i in holds if names[i] not in ("stay_hours",)]
    changed = rows.registers.copy()
    changed[:, holds] = rng.normal(size=(len(changed), len(holds)))
    scrambled = replace(rows, registers=changed, z=rng.normal(size=rows.z.shape))
    for inputs in (baselines.clock, baselines.missingness):
        np.testing.assert_array_equal(inputs(rows), inputs(scrambled))
    assert (baselines.registers(rows) != baselines.registers(scrambled)).any()


def test_the_clock_knows_no_treatment_and_missingness_no_drug(rows):
    assert baselines.clock(rows).shape[1] == 5
    names = rows.names[rows.z.shape[1] :]
    drugs = [i for i, name in enumerate(names) if name.startswith(("RXNORM", "FLUID", "LOINC//3150-6"))]
    changed = rows.registers.copy()
    changed[:, drugs] = 9.0
    np.testing.assert_array_equal(baselines.missingness(rows), baselines.missingness(replace(rows, registers=changed)))


def planted(count=60, rows_each=8, seed=0):
    """Rows of made-up patients: half of them positive throughout."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(count), rows_each)
    label = (subject % 2).astype(np.float32)
    none = np.zeros((len(subject), 0), np.float32)
    from clinical_jepa.training.anchors import Anchors

    anchors = Anchors(
        names=(),
        subject=subject,
        time=np.tile(np.arange(rows_each), count) * HOUR,
        label=label,
        z=none,
        registers=none,
        newest=none,
        targets=none[:, :, None],
        news2=np.zeros(len(subject), np.float32),
        news2_missing=np.full(len(subject), 2),
    )
    return anchors, lambda strength: strength * label + rng.normal(size=len(label))


def test_differences_are_paired():
    anchors, score = planted()
    good, noise = score(2.0), score(0.0)
    entries = [
        scoring.Entry("ours", good, good),
        scoring.Entry("the same", good + 1, 3 * good),
        scoring.Entry("noise", noise, noise),
    ]
    made = scoring.board(entries, calibration=anchors, test=anchors, draws=300)
    same, other = made.row("the same").auroc_behind, made.row("noise").auroc_behind
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert other.low > 0.2
    assert [row.name for row in made.rows] == ["ours", "the same", "noise"]
    assert made.row("ours").auroc_behind is None
    assert made.news2_missing == 2.0


def test_every_row_is_calibrated_alike():
    anchors, score = planted(count=400)
    one = score(1.5)
    entries = [scoring.Entry("ours", one, one), scoring.Entry("squeezed", one / 50 - 3, one / 50 - 3)]
    made = scoring.board(entries, calibration=anchors, test=anchors, draws=20)
    rate = anchors.label.mean()
    assert made.row("squeezed").brier.value == pytest.approx(made.row("ours").brier.value)
    assert made.row("ours").ece < 0.05
    assert made.row("ours").in_the_large == pytest.approx(0, abs=0.1)
    assert made.row("ours").brier_skill == pytest.approx(1 - made.row("ours").brier.value / (rate * (1 - rate)))
    assert made.row("ours").slope == pytest.approx(1, abs=0.2)


def test_reliability_bands_hold_their_share_and_draw_patients():
    anchors, score = planted(count=100)
    draws = bootstrap.draw(anchors.subject, 200)
    bins = scoring.reliability(anchors.label.astype(int), 1 / (1 + np.exp(-score(2.0) + 1)), draws)
    assert sum(one.count for one in bins) == len(anchors.label)
    assert all(one.low <= one.observed <= one.high for one in bins)
    assert not any(math.isnan(one.low) for one in bins)
