"""A unit of any size: its rows are written as they are read, and all of them become visible at once, or none."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from clinical_jepa.records.batch import Identity, SourceBatch
from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.store import files, parts, segments
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.events import Store
from tests.store.builders import Row, batch, ids, prepare, put, stored, withdrawn


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_ROWS", 3)


def unit(count: int) -> Iterator[SourceBatch]:
    """Two rows a batch, every second of which was in the batch before."""
    who = Identity(subject_id=1, namespace="mrn", identifier="7")
    for number in range(count):
        yield batch(Row(f"e{number:03}", number), Row(f"e{number + 1:03}", number + 1), identities=(who,))


def test_parts_are_one_commit_and_each_row_is_kept_once(tmp_path: Path) -> None:
    store = Store.open(tmp_path, create=True)
    added = store.append(unit(20), mode="history", now=0, prepare=prepare, file_hash="h")
    assert (added.events, added.duplicates, store.watermark) == (21, 19, 1)
    assert len(manifests.read(tmp_path).of("events")) == 10
    assert len(manifests.read(tmp_path).of("crosswalk")) == 1
    assert ids(Store.open(tmp_path).arrivals(-1, 99).events) == [f"e{number:03}" for number in range(21)]
    assert put(store, *unit(20)).events == 0


def test_batches_are_written_before_the_next_are_read(tmp_path: Path) -> None:
    """Memory stays flat: when the tenth batch is made, all but the newest parts lie on disk and nobody holds them."""
    waiting: list[int] = []

    def watched() -> Iterator[SourceBatch]:
        for number, one in enumerate(unit(20)):
            waiting.append(2 * number - 4 * len(list((tmp_path / "events").iterdir())))
            yield one

    Store.open(tmp_path, create=True).append(watched(), mode="history", now=0, prepare=prepare)
    assert max(waiting) <= 3 * 4  # two parts before the lock is taken, one in the making


@pytest.mark.fault(
    source="store", fault="source fails in the middle", ends="nothing of its unit is kept; the next run begins it anew"
)
def test_nothing_of_a_unit_that_breaks_off_is_seen(tmp_path: Path) -> None:
    def broken() -> Iterator[SourceBatch]:
        yield from unit(12)
        raise RuntimeError("the file ends here")

    store = stored(tmp_path, batch(Row("before", 1)))
    with pytest.raises(RuntimeError):
        store.append(broken(), mode="history", now=0, prepare=prepare, file_hash="h")
    assert len(list((tmp_path / "events").iterdir())) > 1
    for reader in (store, Store.open(tmp_path)):
        assert (ids(reader.arrivals(BEGINNING, END).events), reader.has_file("h")) == (["before"], False)
    assert store.append(unit(12), mode="history", now=0, prepare=prepare, file_hash="h").events == 13
    assert {f"events/{path.name}" for path in (tmp_path / "events").iterdir()} <= manifests.read(tmp_path).names()


@pytest.mark.fault(
    source="store", fault="disk full", ends="the error is raised; the last commit stands; the next try does it"
)
def test_a_full_disk_leaves_the_last_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stored(tmp_path, batch(Row("before", 1)))
    written = [0]

    def full(path: Path, write: object) -> None:
        written[0] += 1
        if written[0] > 3:
            path.with_name(path.name + files.ASIDE).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        files.write_whole(path, write)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(segments, "write_whole", full)
        with pytest.raises(OSError, match="No space"):
            store.append(unit(20), mode="history", now=0, prepare=prepare, file_hash="h")
    assert ids(Store.open(tmp_path).arrivals(BEGINNING, END).events) == ["before"]
    assert store.append(unit(20), mode="history", now=0, prepare=prepare, file_hash="h").events == 21
    assert not list(tmp_path.rglob(f"*{files.ASIDE}"))


def test_a_withdrawal_in_a_later_part_is_of_the_same_commit(tmp_path: Path) -> None:
    store = Store.open(tmp_path, create=True)
    rows = [batch(*(Row(f"{n}{k}", n, record="r") for k in range(4))) for n in range(3)]
    store.append([*rows, batch(retractions=(withdrawn("r", 2),))], mode="history", now=0, prepare=prepare)
    assert (store.watermark, ids(store.arrivals(-1, 9).events)) == (1, ["20", "21", "22", "23"])


def test_a_live_unit_is_stamped_once_when_all_of_it_was_read(tmp_path: Path) -> None:
    store = Store.open(tmp_path, create=True)
    asked: list[int] = []
    store.append(unit(20), mode="live", now=lambda: asked.append(1) or 77, prepare=prepare)  # type: ignore[func-returns-value]
    assert len(asked) == 1
    assert set(store.arrivals(BEGINNING, END).events["available_time"].cast("int64").to_pylist()) == {77}
