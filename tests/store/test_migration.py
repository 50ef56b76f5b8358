"""A store of an older schema version, as an earlier program wrote it, opens, answers the same, and is of this version then."""

from __future__ import annotations

import errno
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from clinical_jepa.records.errors import BadRequest, BrokenStore
from clinical_jepa.records.events import EVENTS
from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store import migration
from clinical_jepa.store.events import Store
from tests.store.builders import Row, batch, ids, put, stored

VERSION_1 = Path(__file__).with_name("version_1.zip")
VERSION_2 = Path(__file__).with_name("version_2.zip")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Rows of every kind in two commits; events without ``record_id``, no digests, no folders of retractions and links."""
    with zipfile.ZipFile(VERSION_1) as kept:
        kept.extractall(tmp_path)
    return tmp_path


def test_a_store_of_version_1_answers_as_it_did(old: Path) -> None:
    before = manifests.read_body(old)[1]
    store = Store.open(old)
    assert (manifests.read_body(old)[0], store.watermark) == (manifests.SCHEMA_VERSION, before["commit"])
    assert ids(store.arrivals(BEGINNING, 10).events) == ["a", "b"]
    assert ids(store.arrivals(BEGINNING, 20).events) == ["b", "c"]
    assert store.arrivals(10, 20).rewind == {1: 5}
    found = store.arrivals(BEGINNING, END)
    assert found.events.schema.equals(EVENTS)
    assert found.events["record_id"].null_count == 2
    assert store.samples(found.signals["reference"][0].as_py()).tolist() == [1.0, 2.0]
    assert np.array_equal(store.samples(found.images["prepared"][0].as_py()), np.ones(4096, np.float32))
    assert (store.identify("7"), store.rejections().num_rows, store.has_file("h1")) == (1, 1, True)
    put(store, batch(Row("a", 5, fact="f"), Row("d", 30)))
    store.compact()
    assert ids(Store.open(old).arrivals(BEGINNING, END).events) == ["b", "c", "d"]


def test_a_store_of_version_2_answers_as_it_did(tmp_path: Path) -> None:
    """Rows of every kind in three commits; a fact that moved from one subject to another, a withdrawal and a link."""
    with zipfile.ZipFile(VERSION_2) as kept:
        kept.extractall(tmp_path)
    assert manifests.read_body(tmp_path)[0] == 2
    Store.open(tmp_path)
    assert manifests.read_body(tmp_path)[0] == manifests.SCHEMA_VERSION
    for held_rows in (100, 0):  # one that fits into memory, one that does not
        store = Store(tmp_path, manifests.read(tmp_path), held_rows)
        assert [ids(store.history(who, as_of=10).events) for who in (1, 2, 3)] == [["a", "w"], ["m"], []]
        assert [ids(store.history(who, as_of=25).events) for who in (1, 2, 3)] == [["b"], [], ["n"]]
        assert (store.owner(2, 29), store.owner(2, 30)) == (2, 1)
        assert (store.has_file("h1"), store.has_file("h2"), store.has_file("h3")) == (True, True, False)
        found = store.arrivals(BEGINNING, END)
        assert (found.signals.num_rows, found.images.num_rows) == (1, 1)
        assert store.samples(found.signals["reference"][0].as_py()).tolist() == [1.0, 2.0]
    again = put(store, batch(Row("a", 5, fact="f"), Row("n", 16, subject=3, fact="moves"), Row("d", 40)))
    assert (again.events, again.duplicates) == (1, 2)


def test_files_stay_as_they_are_and_their_bytes_are_known_from_then_on(old: Path) -> None:
    files = {path: path.read_bytes() for path in old.rglob("*.*") if path.name != manifests.NAME}
    Store.open(old)
    assert {path: path.read_bytes() for path in files} == files
    segment = old / "events" / "00000001.parquet"
    segment.write_bytes(segment.read_bytes()[:-1] + b"X")
    with pytest.raises(BrokenStore, match="damaged"):
        Store.open(old).arrivals(BEGINNING, END)


def test_a_kill_before_the_end_leaves_the_old_store(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        Store.open(old)
    monkeypatch.undo()
    assert manifests.read_body(old)[0] == 1
    assert ids(Store.open(old).arrivals(BEGINNING, END).events) == ["b", "c"]


@pytest.mark.fault(
    source="store", fault="version 1 with a damaged segment", ends="BrokenStore; the store is not migrated"
)
def test_damage_is_not_made_the_truth(old: Path) -> None:
    segment = old / "events" / "00000002.parquet"
    content = segment.read_bytes()
    segment.write_bytes(content[: len(content) // 2])
    with pytest.raises(BrokenStore, match="not migrated"):
        Store.open(old)
    segment.unlink()
    with pytest.raises(BrokenStore, match="missing"):
        Store.open(old)
    assert manifests.read_body(old)[0] == 1


@pytest.mark.fault(
    source="store", fault="a store of a newer version", ends="BrokenStore that says to use a newer program"
)
def test_a_store_of_a_later_version_is_left_alone(old: Path) -> None:
    Store.open(old)
    content = json.loads((old / manifests.NAME).read_bytes())
    (old / manifests.NAME).write_text(json.dumps({**content, "schema_version": 99}))
    with pytest.raises(BrokenStore, match="newer program"):
        Store.open(old)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_store_that_may_not_be_written_says_what_to_do(
    old: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(root: Path) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(migration, "writer_lock", refused)
    with pytest.raises(
        BadRequest, match=r"may not be read or written .* nothing was changed; open it once with the right"
    ):
        Store.open(old)


def test_versions_of_one_fact_about_two_people_in_one_old_file_are_read_together(tmp_path: Path) -> None:
    rows = [Row("a", 10, subject=1, fact="f"), Row("b", 20, subject=2, fact="f", status="corrected")]
    stored(tmp_path, batch(*rows, *(Row(f"x{n}", n, subject=3 + n) for n in range(4))))
    as_of_version_2(tmp_path)
    Store.open(tmp_path)
    store = Store(tmp_path, manifests.read(tmp_path), 0)
    assert [ids(store.history(who, as_of=25).events) for who in (1, 2)] == [[], ["b"]]


def as_of_version_2(root: Path) -> None:
    """The same store without what version 3 brought."""
    body = manifests.read_body(root)[1]
    kinds = ("events", "crosswalk")
    segments = [
        {name: value for name, value in one.items() if not name.endswith("_subject")}
        for one in body["segments"]
        if one["kind"] in kinds
    ]
    older = {"commit": body["commit"], "clock": body["clock"], "segments": segments, "arrays": {}, "files": []}
    content = {"schema_version": 2, "check": manifests._check(2, older), "body": older}
    (root / manifests.NAME).write_text(json.dumps(content))


def test_a_changed_version_is_damage_and_no_older_store(tmp_path: Path) -> None:
    stored(tmp_path, batch(Row("a", 1)))
    content = json.loads((tmp_path / manifests.NAME).read_bytes())
    for version in (0, 1, 2):
        (tmp_path / manifests.NAME).write_text(json.dumps({**content, "schema_version": version}))
        with pytest.raises(BrokenStore, match="checksum"):
            Store.open(tmp_path)
    assert not list((tmp_path / "index").glob("*v*"))
