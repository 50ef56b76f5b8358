"""An offset that a site gives, changes and takes back: the store answers as if only the newest had ever been known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinical_jepa.records.instant import BEGINNING, END, HOUR, MINUTE, iso
from clinical_jepa.sources.clocks import ClockOffset
from clinical_jepa.store.events import Store
from tests.ingest.builders import NOON, run
from tests.sources.wfdb import builders

STAMP = 1_767_604_320_500_000  # 2026-01-05T09:12:00.5Z: what the records' headers say
MINUTES = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes of a heart rate, and an alarm two minutes after their start."""
    root = tmp_path_factory.mktemp("monitor")
    header = builders.numerics(root, {"HR": [70.0, 71, 72, float("nan"), 74]}, {"HR": "bpm"})
    wfdb.wrann(header.stem, "al", np.array([2]), ['"'], aux_note=["ASYSTOLE"], fs=1 / 60, write_dir=str(root))
    return root


def given_offset(minutes: int, **more: Any) -> tuple[ClockOffset, ...]:
    """The site's word; 0: none."""
    row = {"subject": "000123", "record": None, "start": BEGINNING, "end": END, "offset": minutes * MINUTE}
    return (ClockOffset(**(row | more)),) if minutes else ()


def seen(store: Store, as_of: int) -> list[tuple[Any, ...]]:
    names = ("time", "code", "numeric_value", "unit", "status", "fact_id", "source")
    rows = store.arrivals(BEGINNING, as_of).events.to_pylist()
    return sorted(tuple(str(row[name]) for name in names) for row in rows)


def fresh(folder: Path, at: Path, minutes: int) -> Store:
    store = Store.open(at, create=True)
    run(folder, store, clock_offsets=given_offset(minutes))
    return store


def test_times_availability_and_the_mark_of_what_was_moved(folder: Path, tmp_path: Path) -> None:
    rows = fresh(folder, tmp_path / "s", 90).arrivals(BEGINNING, END).events
    times = sorted(rows["time"].cast("int64").to_pylist())
    assert [(one - STAMP) / MINUTE for one in times] == [90, 91, 92, 92, 94]
    assert set(rows["source"].to_pylist()) == {"shifted:wfdb:numerics", "shifted:wfdb:alarms"}
    delay = rows["available_time"].cast("int64").to_numpy() - rows["time"].cast("int64").to_numpy()
    assert set(delay.tolist()) == {0, MINUTE}  # an alarm is known when it rings
    assert seen(fresh(folder, tmp_path / "t", 0), END)[0][-1] == "wfdb:numerics"


def test_what_is_not_meant_is_not_moved(folder: Path, tmp_path: Path) -> None:
    plain = seen(fresh(folder, tmp_path / "plain", 0), END)
    others: tuple[dict[str, Any], ...] = (
        {"subject": "124"}, {"record": "other"}, {"start": STAMP + 1}, {"end": STAMP},
    )  # fmt: skip
    for number, more in enumerate(others):
        store = Store.open(tmp_path / f"s{number}", create=True)
        run(folder, store, clock_offsets=given_offset(90, **more))
        assert seen(store, END) == plain, more


def test_two_offsets_at_once_refuse_the_record(folder: Path, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "s", create=True)
    report = run(folder, store, clock_offsets=given_offset(90) + given_offset(30))
    assert (report.total.events, dict(report.reasons)) == (0, {"invalid": 1})


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([0, -2, 1, 3, 90]), min_size=2, max_size=4))
def test_history_answers_at_every_instant_as_if_only_the_newest_offset_were_known(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, offsets: list[int]
) -> None:
    root = tmp_path_factory.mktemp("stores")
    store = Store.open(root / "changed", create=True)
    for minutes in offsets:
        run(folder, store, clock_offsets=given_offset(minutes))
    expected = fresh(folder, root / "fresh", offsets[-1])
    edges = {STAMP + shift * MINUTE + k * MINUTE for shift in offsets for k in range(1, MINUTES + 2)}
    for edge in sorted(edges):
        for as_of in (edge - 1, edge, edge + 1):
            assert seen(store, as_of) == seen(expected, as_of), (offsets, iso(as_of))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([0, -2, 3, 90]), min_size=2, max_size=4))
def test_live_the_newest_offset_holds_from_its_ingest_on_and_before_it_what_was_believed(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, offsets: list[int]
) -> None:
    root = tmp_path_factory.mktemp("stores")
    store = Store.open(root / "changed", create=True)
    for turn, minutes in enumerate(offsets):
        run(folder, store, mode="live", now=NOON + turn * HOUR, clock_offsets=given_offset(minutes))
    for turn, minutes in enumerate(offsets):
        expected = fresh(folder, root / f"fresh{turn}", minutes)
        assert seen(store, NOON + turn * HOUR + MINUTE) == seen(expected, END), (offsets, turn)


def test_an_offset_that_stays_is_not_read_again(folder: Path, tmp_path: Path) -> None:
    store = Store.open(tmp_path, create=True)
    for minutes in (0, 90, 0):
        run(folder, store, clock_offsets=given_offset(minutes))
        commits, rows = store.watermark, store.rows
        again = run(folder, store, clock_offsets=given_offset(minutes))
        assert (again.total.skipped, again.total.files) == (1, 0)
        assert (store.watermark, store.rows) == (commits, rows)


def test_without_what_supersedes_the_store_holds_both_readings(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: the law above would not hold."""
    monkeypatch.setattr("clinical_jepa.ingest.superseding", lambda rows, versions, live: rows)
    store = Store.open(tmp_path / "s", create=True)
    for minutes in (90, 0):
        run(folder, store, clock_offsets=given_offset(minutes))
    assert seen(store, END) != seen(fresh(folder, tmp_path / "f", 0), END)


def test_waveforms_move_with_their_record_but_not_from_where_they_were_stored(tmp_path: Path) -> None:
    folder = tmp_path / "waves"
    folder.mkdir()
    builders.record(folder)

    def times(store: Store) -> list[int]:
        return store.arrivals(BEGINNING, END).signals["time"].cast("int64").to_pylist()

    moved, plain = fresh(folder, tmp_path / "moved", 90), fresh(folder, tmp_path / "plain", 0)
    assert times(moved) == [one + 90 * MINUTE for one in times(plain)]
    assert set(moved.arrivals(BEGINNING, END).signals["source"].to_pylist()) == {"shifted:wfdb:waveforms"}
    before = times(plain)
    report = run(folder, plain, clock_offsets=given_offset(90))
    assert (times(plain), report.total.signals, dict(report.reasons)) == (before, 0, {"invalid": 1})
    assert "new store" in plain.rejections()["message"][0].as_py()
