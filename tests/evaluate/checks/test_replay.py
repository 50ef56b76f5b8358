"""Replay equals live on a scripted ward, and the comparison is not blind."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clinical_jepa.evaluate.checks.raw import as_batch, between, prepared, raw
from clinical_jepa.evaluate.checks.replay import ReplayReport, Trial, _Case, check_replay, window
from clinical_jepa.evaluate.checks.replay_child import shuffled
from clinical_jepa.evaluate.checks.script import START, batch, random_ward
from clinical_jepa.records.batch import ImageItem, SignalPiece
from clinical_jepa.records.instant import BEGINNING, END, MINUTE
from clinical_jepa.store.events import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("replay") / "store"
    made = Store.open(folder, create=True)
    lines = batch(random_ward(4, 8, 5))
    made.append([replace(lines, signals=(piece(),), images=(picture(),))], mode="history", now=START, prepare=half)
    return made


def half(pixels: np.ndarray, spacing: tuple[float, float] | None) -> np.ndarray:
    return np.full((64, 64), 0.5, np.float32)


def piece() -> SignalPiece:
    return SignalPiece(
        subject_id=1,
        channel="ABP",
        time=START,
        available_time=START + MINUTE,
        available_basis="delay",
        rate_hz=125.0,
        unit="mm[Hg]",
        quality=1.0,
        quality_reason=None,
        samples=np.arange(7500, dtype=np.float32),
        source="script",
        event_id="signal",
    )


def picture() -> ImageItem:
    return ImageItem(
        subject_id=1,
        time=START,
        available_time=START + 5 * MINUTE,
        available_basis="issued",
        modality="CR",
        view="AP",
        spacing_mm=(0.2, 0.3),
        pixels=np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4),
        source="script",
        event_id="image",
        fact_id="image",
    )


@pytest.mark.slow
def test_fresh_processes_and_a_live_ward_leave_the_bytes_of_the_backtest(tmp_path: Path) -> None:
    report = check_replay(ticks=4, seed=7, work=tmp_path)
    assert report.passed, [one.line for one in report.trials]
    assert {one.kind for one in report.trials} == {"history", "live"}
    assert all(one.corrected_after_alert and one.messages and one.answers for one in report.trials)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_store_with_signals_and_images_is_replayed_too(tmp_path: Path, store: Store) -> None:
    report = check_replay(store.path, ticks=5, seed=1, work=tmp_path)
    assert report.passed, [one.line for one in report.trials]
    assert len(report.trials) == 4


def test_one_value_more_or_less_is_seen(store: Store, tmp_path: Path) -> None:
    case = _Case.of("script", "history", store, None, 3, 0)
    other = Store.open(tmp_path / "other", create=True)
    tables = between(case.rows, BEGINNING, END)
    tables["events"] = tables["events"].slice(1)
    other.append([as_batch(case.rows, tables)], mode="history", now=START, prepare=prepared(case.rows))
    same = case.trial(store, case.backtest(store).ledger, case.backtest(store).ledger)
    assert same.differs == ()
    changed = case.trial(store, case.backtest(other).ledger, case.backtest(store).ledger)
    assert "memory" in changed.differs


def test_shuffled_batches_hold_each_row_once_with_its_arrays(store: Store) -> None:
    rows = raw(store)
    parts = list(shuffled(rows, BEGINNING, END, np.random.default_rng(3)))
    events = [event for part in parts for event in part.events["event_id"].to_pylist()]
    assert sorted(events) == sorted(rows.tables["events"]["event_id"].to_pylist())
    assert events != rows.tables["events"]["event_id"].to_pylist()
    (signal,) = (one for part in parts for one in part.signals)
    (image,) = (one for part in parts for one in part.images)
    assert np.array_equal(signal.samples, piece().samples)
    assert np.array_equal(image.pixels, picture().pixels)
    assert (image.spacing_mm, image.view) == ((0.2, 0.3), "AP")
    assert prepared(rows)(image.pixels, image.spacing_mm)[0, 0] == 0.5


def test_the_window_lies_where_corrections_are(store: Store) -> None:
    instants = window(raw(store), 6, 15 * MINUTE)
    assert len(instants) == 6
    assert {later - earlier for earlier, later in itertools.pairwise(instants)} == {15 * MINUTE}
    found = store.arrivals(instants[2], instants[-1]).rewind
    assert found


def test_a_check_in_which_nothing_was_corrected_or_told_does_not_pass() -> None:
    good = Trial(
        name="n", kind="live", ticks=1, subjects=1, forecasts=1, transitions=1, messages=1, answers=1,
        corrected_after_alert=1, differs=(),
    )  # fmt: skip
    assert ReplayReport(trials=(good,)).passed
    for wrong in ({"differs": ("memory",)}, {"messages": 0}, {"answers": 0}, {"corrected_after_alert": 0}):
        assert not ReplayReport(trials=(replace(good, **wrong),)).passed
    assert "differing: n as live" in ReplayReport(trials=(replace(good, differs=("memory",)),)).figure
