"""A gateway that writes a record bit by bit, read between any two writes: in the end the store is that of one reading."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinical_jepa.ingest import IngestReport, ingest
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.store.events import Store
from tests.sources.wfdb import builders
from tests.sources.wfdb.builders import NAME

GROWING_S = 600.0
LATE = 2**52


def take(folder: Path, store: Store, *, growing_s: float | None = GROWING_S) -> IngestReport:
    context = ReadContext(root=folder, growing_s=growing_s)
    return ingest(
        [folder], store, mode="history", now=lambda: LATE, context=context, prepare=lambda *_: np.zeros((64, 64))
    )


def content(store: Store) -> tuple[list[tuple], list[dict]]:
    """Every piece with its samples and every event, in no order that depends on when they came."""
    arrivals = store.arrivals(-LATE, 2 * LATE)
    rows = arrivals.signals.select(["subject_id", "channel", "time", "quality", "event_id", "reference"]).to_pylist()
    pieces = sorted(
        (*(row[name] for name in list(row)[:-1]), store.samples(row["reference"]).tobytes()) for row in rows
    )
    events = arrivals.events.drop_columns([name for name in arrivals.events.column_names if name == "commit"])
    return pieces, sorted(events.to_pylist(), key=lambda row: row["event_id"])


def ward(folder: Path) -> Path:
    """What the gateway will have written in the end: three segments with a gap, numerics, alarms."""
    folder.mkdir()
    lengths = [
        builders.segment(folder, f"p000123_000{n}", seconds, seed=n) for n, seconds in ((1, 50), (2, 70), (3, 30))
    ]
    parts = [("p000123_0001", lengths[0]), ("~", 625), ("p000123_0002", lengths[1]), ("p000123_0003", lengths[2])]
    builders.master(folder, parts)
    builders.numerics(folder, {"HR": [80.0, 81.0, 82.0]}, {"HR": "bpm"})
    wfdb.wrann(
        NAME, "al", np.array([100, 2000]), ['"', '"'], aux_note=["SpO2 low", "HR > 130"], fs=62.5, write_dir=str(folder)
    )
    return folder


def masters(folder: Path) -> list[bytes]:
    """The master header as it stood after each segment."""
    lines = (folder / f"{NAME}.hea").read_text().splitlines()
    found = []
    for count in (1, 3, 4):
        words = lines[0].split()
        words[0] = f"{NAME}/{count}"
        words[3] = str(sum(int(line.split()[1]) for line in lines[1 : 1 + count]))
        found.append("\n".join([" ".join(words), *lines[1 : 1 + count], ""]).encode())
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[list[tuple], list[dict]]]:
    folder = ward(tmp_path_factory.mktemp("gateway") / "final")
    store = Store.open(tmp_path_factory.mktemp("once") / "store", create=True)
    assert take(folder, store, growing_s=None).reasons == {}
    pieces, events = content(store)
    assert len(pieces) == 8
    assert len(events) == 5
    return folder, (pieces, events)


@pytest.mark.fault(
    source="wfdb",
    fault="half-written file",
    ends="waits for the next run, unrefused; in the end nothing is lost or doubled",
)
@pytest.mark.fault(source="wfdb", fault="out of order", ends="files may come in any order: the same store")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_growth_ends_in_the_same_store(
    tmp_path_factory: pytest.TempPathFactory, finished: tuple[Path, tuple[list[tuple], list[dict]]], data: st.DataObject
) -> None:
    final, expected = finished
    folder = tmp_path_factory.mktemp("grows") / "in"
    folder.mkdir()
    store = Store.open(folder.parent / "store", create=True)
    versions = {path.name: [path.read_bytes()] for path in sorted(final.iterdir())}
    versions[f"{NAME}.hea"] = masters(final)
    assert versions[f"{NAME}.hea"][-1] == (final / f"{NAME}.hea").read_bytes()
    for _ in range(data.draw(st.integers(2, 5))):
        for name, states in versions.items():
            state = data.draw(st.sampled_from(states), label=name)
            cut = data.draw(st.sampled_from([0.0, 0.3, 0.9, 1.0, 1.0]), label="share")
            whole = (folder / name).exists() and (folder / name).read_bytes() == states[-1]
            if cut and not whole:  # a file that is finished stays so
                (folder / name).write_bytes(state[: max(1, int(cut * len(state)))])
        if any(folder.rglob("*.hea")):
            assert take(folder, store).reasons == {}
    shutil.copytree(final, folder, dirs_exist_ok=True)
    assert take(folder, store).reasons == {}
    assert content(store) == expected
    again = take(folder, store).total
    assert (again.files, again.skipped) == (0, 5)  # three segments, what is beside them, the numerics


@pytest.mark.fault(
    source="wfdb", fault="half-written file that stays so", ends="refused after its time, taken when it is whole"
)
@pytest.mark.parametrize("name", ["p000123_0003.dat", "p000123_0003.hea", f"{NAME}.al", f"{NAME}n.dat"])
def test_what_never_becomes_whole_is_refused_after_its_time_and_taken_when_it_does(tmp_path: Path, name: str) -> None:
    folder = ward(tmp_path / "in")
    store = Store.open(tmp_path / "store", create=True)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    first = take(folder, store)
    assert first.reasons == {}
    assert first.ignored["still being written, left for a later run"] == 1
    assert take(folder, store).total.files == 0  # nothing moved: nothing is read again
    long_ago = time.time() - 2 * GROWING_S
    for path in folder.iterdir():
        os.utime(path, (long_ago, long_ago))
    assert take(folder, store).reasons == {"unreadable": 1}
    (folder / name).write_bytes(whole)
    take(folder, store)
    expected = Store.open(tmp_path / "once", create=True)
    take(folder, expected, growing_s=None)
    assert content(store) == content(expected)


def test_a_new_segment_is_all_that_is_read(tmp_path: Path) -> None:
    final = ward(tmp_path / "final")
    folder, store = tmp_path / "in", Store.open(tmp_path / "store", create=True)
    folder.mkdir()
    steps = []
    for number, master in enumerate(masters(final), start=1):
        (folder / f"{NAME}.hea").write_bytes(master)
        for ending in ("dat", "hea"):
            shutil.copy(final / f"p000123_000{number}.{ending}", folder)
        total = take(folder, store).total
        steps.append((total.files, total.skipped, total.signals, total.duplicates))
    # what is beside the segments is looked at again whenever the header changes; it holds no row here
    assert steps == [(2, 0, 2, 0), (2, 1, 4, 0), (2, 2, 2, 0)]
    for path in (f"{NAME}.al", f"{NAME}n.hea", f"{NAME}n.dat"):
        shutil.copy(final / path, folder)
    take(folder, store)
    whole = Store.open(tmp_path / "whole", create=True)
    take(final, whole, growing_s=None)
    assert content(store) == content(whole)


def test_a_segment_that_never_comes_is_named_when_the_record_has_come_to_rest(tmp_path: Path) -> None:
    folder = ward(tmp_path / "in")
    (folder / "p000123_0002.hea").unlink()
    store = Store.open(tmp_path / "store", create=True)
    assert take(folder, store).reasons == {}
    long_ago = time.time() - 2 * GROWING_S
    for path in folder.iterdir():
        os.utime(path, (long_ago, long_ago))
    assert take(folder, store).reasons == {"unreadable": 1}
    assert take(folder, store).total.files == 0
    (rejection,) = store.rejections().to_pylist()
    # the refusal is the same one that a reading at rest makes
    calm = Store.open(tmp_path / "calm", create=True)
    take(folder, calm, growing_s=None)
    assert [rejection["rejection_id"]] == calm.rejections()["rejection_id"].to_pylist()


def test_a_folder_at_rest_does_not_wait(tmp_path: Path) -> None:
    folder = ward(tmp_path / "in")
    data = folder / "p000123_0003.dat"
    data.write_bytes(data.read_bytes()[:-1])
    assert take(folder, Store.open(tmp_path / "store", create=True), growing_s=None).reasons == {"unreadable": 1}


def test_a_record_without_segments_is_read_up_to_its_last_whole_minute_while_it_grows(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    samples = (1000 * builders.wave(150 * 125)).astype("<i2")
    # no length and no sums: it is as long as its file
    header = f"{NAME} 1 125 0 {builders.BASE}\n{NAME}.dat 16 1000/mV 16 0 0 0 0 II\n"
    (folder / f"{NAME}.hea").write_text(header)
    store = Store.open(tmp_path / "store", create=True)
    seen = []
    for seconds in (0.0, 30.0, 59.99, 90.0, 90.004, 150.0):
        (folder / f"{NAME}.dat").write_bytes(samples.tobytes()[: int(seconds * 250)])
        assert take(folder, store).reasons == {}
        seen.append(sorted(len(samples) // 4 // 125 for *_, samples in content(store)[0]))
    assert seen == [[], [], [], [60], [60], [60, 60]]
    long_ago = time.time() - 2 * GROWING_S
    for path in folder.iterdir():
        os.utime(path, (long_ago, long_ago))
    take(folder, store)
    pieces = sorted(content(store)[0], key=lambda piece: piece[2])
    found = np.concatenate([np.frombuffer(piece[-1], np.float32) for piece in pieces])
    np.testing.assert_array_equal(found, (samples / 1000).astype(np.float32))
