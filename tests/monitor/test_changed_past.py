"""Memories after a record was withdrawn, and after two subjects turned out to be one: those made from scratch."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from clinical_jepa.evaluate.checks.script import Line, admission, at, batch, pressures
from clinical_jepa.records.batch import Mode, Retraction, SourceBatch, SubjectLink
from clinical_jepa.records.events import EVENTS
from tests.monitor.scenes import Scene, plain


def put(scene: Scene, mode: Mode, minute: float, one: SourceBatch) -> None:
    scene.ward.store.append([one], mode=mode, now=at(minute), prepare=plain)


def link(minute: float, *, active: bool = True) -> SourceBatch:
    one = SubjectLink(
        absorbed=1,
        survivor=2,
        active=active,
        time=at(minute),
        available_time=at(minute),
        available_basis="issued",
        source="s",
    )
    return SourceBatch(events=EVENTS.empty_table(), links=(one,))


def withdrawal(minute: float) -> SourceBatch:
    one = Retraction(record_id="r", time=at(minute), available_time=at(minute), available_basis="issued", source="s")
    return SourceBatch(events=EVENTS.empty_table(), retractions=(one,))


def of_record(lines: list[Line]) -> SourceBatch:
    made = batch(lines)
    events = made.events.set_column(
        EVENTS.get_field_index("record_id"), EVENTS.field("record_id"), pa.array(["r"] * made.events.num_rows)
    )
    return SourceBatch(events=events, identities=made.identities)


def agree(scene: Scene, minute: float) -> None:
    """Every memory is the one made at once of what is seen as of now."""
    report = scene.tick(minute)
    assert not report.already_done
    for subject in (1, 2):
        kept = scene.ward.ledger.memory(subject)
        if kept is not None and kept.cursor == at(minute):
            assert kept.blob == scene.from_scratch(subject, minute).blob


@pytest.mark.parametrize("mode", ["history", "live"])
def test_a_merge_and_its_undoing_rewind_both_subjects(tmp_path: Path, mode: Mode) -> None:
    scene = Scene.open(tmp_path)
    scene.history([*admission(1), *admission(2)])
    for minute in range(5, 200, 15):
        put(scene, mode, minute, batch(pressures(1 + minute % 2, [(minute, 60.0 + minute / 10)])))
        if minute == 65:
            put(scene, mode, minute, link(minute))
        if minute == 140:
            put(scene, mode, minute, link(minute, active=False))
        agree(scene, minute + 1)
        for subject in (1, 2):
            kept = scene.ward.ledger.memory(subject)
            assert kept is not None
            if kept.cursor != at(minute + 1):  # left alone: nobody is there any more
                assert scene.ward.store.history(subject, as_of=at(minute + 1)).events.num_rows == 0


@pytest.mark.parametrize("mode", ["history", "live"])
def test_a_withdrawn_record_leaves_no_trace_in_a_memory(tmp_path: Path, mode: Mode) -> None:
    scene = Scene.open(tmp_path)
    scene.history(admission(1))
    put(scene, mode, 10, batch(pressures(1, [(10, 80.0)])))
    put(
        scene,
        mode,
        20,
        of_record(pressures(1, [(20, 40.0), (21, 41.0)]) if mode == "history" else pressures(1, [(20, 40.0)])),
    )
    agree(scene, 30)
    put(scene, mode, 40, withdrawal(40))
    agree(scene, 60)
    kept = scene.ward.ledger.memory(1)
    clean = Scene.open(tmp_path / "clean")
    clean.history(admission(1))
    put(clean, mode, 10, batch(pressures(1, [(10, 80.0)])))
    clean.tick(30)
    clean.tick(60)
    other = clean.ward.ledger.memory(1)
    assert kept is not None
    assert other is not None
    assert kept.blob == other.blob


def test_a_merge_that_is_loaded_late_rewinds_both(tmp_path: Path) -> None:
    scene = Scene.open(tmp_path)
    scene.history([*admission(1), *admission(2), *pressures(1, [(20, 70.0), (80, 71.0)]), *pressures(2, [(25, 90.0)])])
    agree(scene, 30)
    agree(scene, 90)
    put(scene, "history", 0, link(50))
    agree(scene, 105)
    assert scene.ward.store.owner(1, at(105)) == 2
