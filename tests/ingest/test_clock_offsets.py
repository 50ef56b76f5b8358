"""An offset that a site gives, changes and takes back: the store answers as if only the newest had ever been known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, example, given, settings
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
    """Five minutes of a heart rate, an alarm two minutes after their start, and 100 seconds of two waveforms."""
    root = tmp_path_factory.mktemp("monitor")
    header = builders.numerics(root, {"HR": [70.0, 71, 72, float("nan"), 74]}, {"HR": "bpm"})
    wfdb.wrann(header.stem, "al", np.array([2]), ['"'], aux_note=["ASYSTOLE"], fs=1 / 60, write_dir=str(root))
    builders.master(root, [("p000123_0001", builders.segment(root, "p000123_0001", 100.0))])
    return root


def given_offset(minutes: int, **more: Any) -> tuple[ClockOffset, ...]:
    """The site's word; 0: none."""
    row = {"subject": "000123", "record": None, "start": BEGINNING, "end": END, "offset": minutes * MINUTE}
    return (ClockOffset(**(row | more)),) if minutes else ()


def seen(store: Store, as_of: int) -> list[tuple[Any, ...]]:
    names = ("time", "code", "numeric_value", "unit", "status", "fact_id", "source")
    found = store.arrivals(BEGINNING, as_of)
    rows = [tuple(str(row[name]) for name in names) for row in found.events.to_pylist()]
    for row in found.signals.to_pylist():
        samples = store.samples(row["reference"]).tobytes()
        rows.append((str(row["time"]), str(row["end_time"]), row["channel"], row["rate_hz"], samples, row["source"]))
    return sorted(rows, key=str)


def fresh(folder: Path, at: Path, minutes: int) -> Store:
    store = Store.open(at, create=True)
    run(folder, store, clock_offsets=given_offset(minutes))
    return store


def test_times_availability_and_the_mark_of_what_was_moved(folder: Path, tmp_path: Path) -> None:
    store = fresh(folder, tmp_path / "s", 90)
    rows = store.arrivals(BEGINNING, END).events
    times = sorted(rows["time"].cast("int64").to_pylist())
    assert [(one - STAMP) / MINUTE for one in times] == [90, 91, 92, 92, 94]
    assert set(rows["source"].to_pylist()) == {"shifted:wfdb:numerics", "shifted:wfdb:alarms"}
    waves = store.arrivals(BEGINNING, END).signals
    assert {(one - STAMP) / MINUTE for one in waves["time"].cast("int64").to_pylist()} == {90, 91}
    assert waves["available_time"].to_pylist() == waves["end_time"].to_pylist()
    assert set(waves["source"].to_pylist()) == {"shifted:wfdb:waveforms"}
    delay = rows["available_time"].cast("int64").to_numpy() - rows["time"].cast("int64").to_numpy()
    assert set(delay.tolist()) == {0, MINUTE}  # an alarm is known when it rings
    plain = {row[-1] for row in seen(fresh(folder, tmp_path / "t", 0), END)}
    assert plain == {"wfdb:numerics", "wfdb:alarms", "wfdb:waveforms"}


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
    assert (report.total.events, dict(report.reasons)) == (0, {"invalid": 2})


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([0, -2, 1, 3, 90]), st.sampled_from("ab")), min_size=2, max_size=4))
@example([(1, "a"), (0, "b")])
@example([(90, "a"), (90, "b"), (0, "a")])
def test_history_answers_at_every_instant_as_if_only_the_newest_offset_were_known(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, readings: list[tuple[int, str]]
) -> None:
    """Whichever program read the record before."""
    root = tmp_path_factory.mktemp("stores")
    store = Store.open(root / "changed", create=True)
    offsets = [minutes for minutes, _ in readings]
    for minutes, program in readings:
        with pytest.MonkeyPatch.context() as other:
            other.setattr("clinical_jepa.ingest.readings.program_hash", lambda kind, program=program: program)
            run(folder, store, clock_offsets=given_offset(minutes))
    expected = fresh(folder, root / "fresh", offsets[-1])
    edges = {STAMP + shift * MINUTE + k * MINUTE for shift in offsets for k in range(1, MINUTES + 2)}
    for edge in sorted(edges):
        for as_of in (edge - 1, edge, edge + 1):
            assert seen(store, as_of) == seen(expected, as_of), (offsets, iso(as_of))


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
        assert (again.total.skipped, again.total.files) == (2, 0)
        assert (store.watermark, store.rows) == (commits, rows)


def test_without_what_supersedes_the_store_holds_both_readings(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: the law above would not hold."""
    expected = seen(fresh(folder, tmp_path / "f", 0), END)
    for kind in ("events", "pieces"):
        with monkeypatch.context() as planted:
            planted.setattr(f"clinical_jepa.sources.superseding.{kind}", lambda found, versions, live: found)
            store = Store.open(tmp_path / kind, create=True)
            for minutes in (90, 0):
                run(folder, store, clock_offsets=given_offset(minutes))
            assert seen(store, END) != expected, kind
