"""Subjects on a relative clock in a store: listed and drawn as such, and no tick stumbles over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_jepa.evaluate.checks.script import Line, at
from clinical_jepa.ingest import ingest
from clinical_jepa.records.batch import Mode
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.store.events import Store
from clinical_jepa.wiring import inspect, timeline_forms
from clinical_jepa.wiring.settings import Paths, Settings
from clinical_jepa.wiring.ward import stretch
from tests.monitor.scenes import Scene, plain
from tests.sources.wfdb import builders


def folder(root: Path) -> Path:
    """A waveform record and a numerics record of nobody."""
    root.mkdir()
    frames = builders.segment(root, "s1", 70)
    builders.master(root, [("s1", frames)], name="r7", base="")
    builders.numerics(root, {"HR": [80.0] * 90}, {"HR": "bpm"}, name="r7n")
    return root


def take(root: Path, store: Store, mode: Mode, **options: object) -> None:
    context = ReadContext(root=root, **options)  # type: ignore[arg-type]
    ingest([root], store, mode=mode, now=lambda: at(30), context=context, prepare=plain)


def test_they_are_listed_and_aligned_on_their_own_clock(tmp_path: Path) -> None:
    settings = Settings(paths=Paths(store=str(tmp_path / "store")))
    take(folder(tmp_path / "gateway"), Store.open(tmp_path / "store", create=True), "history")
    rows, _ = inspect.subjects(settings, None)
    assert sorted((row["identifier"], row["namespace"]) for row in rows) == [
        ("gateway/r7", "mrn~relative"),
        ("gateway/r7n", "mrn~relative"),
    ]
    window = inspect.timeline(settings, "gateway/r7n", step="15m", hours=1, as_of=None)
    assert window.observed.all()
    assert window.edges[-1] == 91 * 60_000_000  # whole quarters of an hour after the first arrival, at one minute
    assert "until" in timeline_forms.values(window)["rows"][0]
    assert inspect.timeline(settings, "gateway/r7", step="1m", hours=1, as_of=None).codes == ()


@pytest.mark.parametrize("mode", ["history", "live"])
def test_a_tick_goes_on(tmp_path: Path, mode: Mode) -> None:
    scene = Scene.open(tmp_path)
    take(folder(tmp_path / "gateway"), scene.ward.store, mode)
    assert [report.already_done for report in scene.ticks(15, 45, 60)] == [False, False, False]
    told = scene.ward.ledger.outcomes(limit=-1)
    assert {type(one).__name__ for one in told} == {"Abstention"}
    assert scene.ward.ledger.messages() == []


def test_a_stitched_ward_takes_them_along(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    take(folder(tmp_path / "gateway"), store, "history", stitch_to=at(0))
    firsts = [row["first"] for row in inspect.subjects(Settings(paths=Paths(store=str(tmp_path / "store"))), None)[0]]
    assert firsts == ["2026-01-05 08:01", "2026-01-05 08:01"]
    assert {feed.source for feed in store.feeds(at(600))} == {
        "stitched:relative:wfdb:numerics",
        "stitched:relative:wfdb:waveforms",
    }


def test_a_backtest_does_not_begin_in_1970(tmp_path: Path) -> None:
    scene = Scene.open(tmp_path)
    take(folder(tmp_path / "gateway"), scene.ward.store, "history")
    assert stretch(scene.ward.store)[0] == 60_000_000
    scene.history([Line(subject=1, time=10, value=80), Line(subject=1, time=70, value=90)])
    assert stretch(scene.ward.store) == (at(10), at(70))
