"""What one append keeps: once, whole, stamped by the right clock."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from meds import DataSchema

from clinical_jepa.evaluate.checks.raw import raw
from clinical_jepa.records.batch import Identity, SourceBatch
from clinical_jepa.records.errors import BadRequest, BrokenStore
from clinical_jepa.records.events import EVENTS, IMAGES, SIGNALS
from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.store import arrays, groups, merging
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.events import Store
from clinical_jepa.store.locks import writer_lock
from tests.store.builders import Row, batch, events, ids, picture, piece, put, stored

NO_EVENTS = EVENTS.empty_table()


def test_twice_is_once_also_for_another_process_and_inside_one_batch(tmp_path: Path) -> None:
    whole = batch(Row("a", 1), Row("b", 2), Row("a", 1), signals=(piece("s", [1.0] * 10),))
    store = stored(tmp_path, whole)
    again = put(Store.open(tmp_path), whole)
    assert (again.events, again.signals, again.duplicates) == (0, 0, 4)
    assert store.reload() == 1
    assert ids(store.arrivals(0, 9).events) == ["a", "b"]


def test_a_file_is_ingested_once_by_its_hash(tmp_path: Path) -> None:
    store = Store.open(tmp_path, create=True)
    assert put(store, batch(Row("a", 1)), file_hash="h").events == 1
    assert Store.open(tmp_path).has_file("h")
    assert put(store, batch(Row("b", 1)), file_hash="h").duplicates == 1
    assert store.watermark == 1


def test_nothing_new_is_no_commit_but_a_file_without_news_is_remembered(tmp_path: Path) -> None:
    store = stored(tmp_path, batch(Row("a", 1)), batch(Row("a", 1)))
    assert store.watermark == 1
    put(store, batch(Row("a", 1)), file_hash="h")
    assert (store.watermark, store.has_file("h")) == (2, True)


def test_a_live_row_is_available_when_it_is_committed_and_never_earlier_than_the_last(tmp_path: Path) -> None:
    store = Store.open(tmp_path, create=True)
    for name, clock in (("a", 100), ("b", 90), ("c", 120)):
        put(store, batch(Row(name, available=50)), mode="live", now=lambda clock=clock: clock)
    rows = store.arrivals(BEGINNING, END).events
    assert ids(rows) == ["a", "b", "c"]
    assert rows["available_time"].cast("int64").to_pylist() == [100, 100, 120]
    assert set(rows["available_basis"].to_pylist()) == {"receipt"}
    assert store.watermark == 3


def test_a_reporting_time_after_our_receipt_is_kept_and_marked(tmp_path: Path) -> None:
    store = Store.open(tmp_path, create=True)
    ahead, fine, no_claim = Row("a", 500), Row("b", 50), Row("c", 500, basis="assumed")
    added = put(store, batch(ahead, fine, no_claim), mode="live", now=100)
    assert added.bases == store.bases(100) == {"receipt-clock-fault": 1, "receipt": 2}
    assert store.bases(99) == {}
    assert store.arrivals(BEGINNING, 100).events.num_rows == 3


def test_versions_that_come_together_keep_their_sources_order(tmp_path: Path) -> None:
    store = Store.open(tmp_path, create=True)
    first, second = Row("z", 10, fact="f"), Row("a", 20, fact="f", status="corrected")
    put(store, batch(second, first), mode="live", now=100)
    assert ids(store.arrivals(BEGINNING, END).events) == ["a"]
    put(store, batch(Row("later", 1)), mode="live", now=100)
    assert ids(store.arrivals(100, END).events) == ["a", "later"]


def test_versions_of_two_commits_at_one_instant_keep_the_order_of_the_commits(tmp_path: Path) -> None:
    """A simulated clock that stands, or one of coarse steps; others of that instant are known at it."""
    store = Store.open(tmp_path, create=True)
    put(store, batch(Row("z", 10, fact="f")), mode="live", now=100)
    put(store, batch(Row("new", 10)), mode="live", now=100)
    put(store, batch(Row("a", 10, fact="f", status="corrected")), mode="live", now=100)
    assert ids(store.arrivals(BEGINNING, 100).events) == ["new", "z"]
    assert ids(store.arrivals(BEGINNING, 101).events) == ["new", "a"]


def test_the_clock_is_read_under_the_lock_after_all_that_takes_long(tmp_path: Path) -> None:
    seen: list[str] = []
    item = picture("i", np.zeros((4, 4), np.float32))
    store = Store.open(tmp_path, create=True)
    store.append(
        [SourceBatch(events=NO_EVENTS, images=(item,))],
        mode="live",
        now=lambda: seen.append("clock") or 7,  # type: ignore[func-returns-value]
        prepare=lambda pixels, _: seen.append("prepare") or np.zeros((64, 64), np.float32),  # type: ignore[func-returns-value]
    )
    assert seen == ["prepare", "clock"]


def test_samples_and_pictures_come_back_as_they_were(tmp_path: Path) -> None:
    wave = np.array([1.5, np.nan, -2.0], np.float32)
    pixels = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    both = SourceBatch(
        events=NO_EVENTS, signals=(piece("s1", [9.0]), piece("s2", wave)), images=(picture("i", pixels),)
    )
    store = stored(tmp_path, both)
    found = store.arrivals(BEGINNING, END)
    assert found.signals.schema.equals(SIGNALS)
    assert found.images.schema.equals(IMAGES)
    (row,) = [row for row in found.signals.to_pylist() if row["event_id"] == "s2"]
    assert np.array_equal(store.samples(row["reference"]), wave, equal_nan=True)
    assert (row["samples"], (row["end_time"] - row["time"]).total_seconds()) == (3, 0.024)
    (image,) = found.images.to_pylist()
    assert np.array_equal(store.samples(image["reference"]).reshape(image["rows"], image["columns"]), pixels)
    assert np.allclose(store.samples(image["prepared"]).reshape(64, 64), pixels.mean())
    assert (image["spacing_row_mm"], image["spacing_column_mm"]) == (0.2, 0.1)
    with pytest.raises(ValueError, match="read-only"):
        store.samples(row["reference"])[0] = 0


def test_a_retracted_picture_is_gone_and_rewinds(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4), np.float32)
    wrong = picture("i1", pixels, fact_id="f", available_time=10)
    gone = picture("i2", pixels, fact_id="f", available_time=20, status="entered-in-error")
    store = stored(tmp_path, SourceBatch(events=NO_EVENTS, images=(wrong, gone)))
    assert ids(store.arrivals(0, 15).images) == ["i1"]
    later = store.arrivals(15, 30)
    assert (ids(later.images), later.rewind) == ([], {1: 10})


def test_late_pieces_of_signals_doubt_their_subject(tmp_path: Path) -> None:
    store = stored(tmp_path, batch(Row("a", 1)), SourceBatch(events=NO_EVENTS, signals=(piece("s", [1.0], subject=5),)))
    found = store.arrivals(50_000, 60_000, known_commits=1)
    assert (found.late_rows, found.rewind) == (1, {5: 8000})
    assert store.arrivals(50_000, 60_000, known_commits=2).rewind == {}


def test_what_is_kept_is_a_valid_meds_table(tmp_path: Path) -> None:
    store = stored(tmp_path, batch(Row("a", 1), Row("b", 2, time=None, value=None, code="GENDER//F")))
    table = store.arrivals(BEGINNING, END).events
    assert table.schema.equals(EVENTS)
    DataSchema.validate(DataSchema.align(table.select(DataSchema.schema().names)))


def test_segments_are_merged_when_they_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "MANY", 3)
    store = stored(tmp_path, *(batch(Row(f"e{n}", n)) for n in range(6)))
    assert len(manifests.read(tmp_path).of("events")) <= 3
    again = Store.open(tmp_path)
    assert ids(again.arrivals(-1, 9).events) == ids(store.arrivals(-1, 9).events) == [f"e{n}" for n in range(6)]
    assert again.arrivals(4, 9, known_commits=2).late_rows == 3  # commit numbers outlive the merge


def test_a_compaction_lays_rows_by_subject_and_takes_as_many_as_fit_into_memory_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "MERGE_ROWS", 5)
    monkeypatch.setattr(merging, "SEGMENT_ROWS", 4)
    store = stored(tmp_path, *(batch(Row(f"e{n}", 9 - n, subject=n % 3)) for n in range(10)))
    for _ in range(2):
        store.compact()
        spans = [(one.rows, one.first_subject, one.last_subject) for one in manifests.read(tmp_path).of("events")]
        assert spans == [(4, 0, 0), (3, 1, 1), (3, 2, 2)]
        assert ids(Store.open(tmp_path).arrivals(-1, 9).events) == [f"e{n}" for n in reversed(range(10))]


def test_a_reader_follows_a_writer_and_survives_a_compaction(tmp_path: Path) -> None:
    writer = stored(tmp_path, batch(Row("a", 1)), batch(Row("b", 2)))
    reader = Store.open(tmp_path)  # has read no rows yet
    writer.compact()
    put(writer, batch(Row("c", 3)))
    assert ids(reader.arrivals(0, 9).events) == ["a", "b"]  # its own files are gone: it reads newer ones
    put(writer, batch(Row("d", 4)))
    assert reader.reload() == 4
    assert ids(reader.arrivals(2, 9).events) == ["c", "d"]


def test_who_is_who(tmp_path: Path) -> None:
    store = Store.open(tmp_path, create=True)
    people = (
        Identity(subject_id=7, namespace="mrn", identifier="000123"),
        Identity(subject_id=8, namespace="mrn", identifier="000456"),
    )
    put(store, SourceBatch(events=events([Row("a", 1, subject=7)]), identities=people))
    put(store, SourceBatch(events=NO_EVENTS, identities=people))
    assert store.watermark == 1
    assert (store.identify("123"), store.identify("000456"), store.identify("8")) == (7, 8, 8)
    assert (store.identifier(7), store.identifier(99)) == ("000123", "99")
    for stranger in ("00124", "²", "9" * 5000):
        with pytest.raises(BadRequest, match="the nearest is '000"):
            store.identify(stranger)
    (row,) = store.subjects(END).to_pylist()
    assert (row["subject_id"], row["identifier"], row["events"], row["signals"]) == (7, "000123", 1, 0)
    assert store.subjects(0).num_rows == 0


def test_feeds_name_their_newest_row(tmp_path: Path) -> None:
    rows = [Row("a", 1, source="fhir"), Row("b", 5, source="fhir"), Row("c", 9, source="wfdb")]
    store = stored(tmp_path, batch(*rows))
    assert [(f.source, f.newest_available, f.rows) for f in store.feeds(6)] == [("fhir", 5, 2)]
    assert [f.source for f in store.feeds(9)] == ["fhir", "wfdb"]


@pytest.mark.fault(source="store", fault="damaged manifest", ends="BrokenStore that names the file; nothing is changed")
def test_a_store_that_is_none_or_damaged_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="holds no store"):
        Store.open(tmp_path / "nothing")
    stored(tmp_path / "s", batch(Row("a", 1)))
    manifest = tmp_path / "s" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"commit": 1', b'"commit": 2'))
    with pytest.raises(BrokenStore, match="checksum"):
        Store.open(tmp_path / "s")


@pytest.mark.fault(source="store", fault="damaged segment", ends="BrokenStore that names the file; nothing is changed")
def test_a_damaged_or_missing_segment_says_so(tmp_path: Path) -> None:
    stored(tmp_path, batch(Row("a", 1)))
    (segment,) = (tmp_path / "events").iterdir()
    content = segment.read_bytes()
    for place in [*range(0, len(content), 97), len(content) - 1]:  # in pages, their headers, the footer
        segment.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(BrokenStore, match="damaged"):
            Store.open(tmp_path).arrivals(0, 9)
    segment.unlink()
    with pytest.raises(BrokenStore, match="missing"):
        Store.open(tmp_path).arrivals(0, 9)
    with pytest.raises(BrokenStore, match="points past"):
        stored(tmp_path / "t", SourceBatch(events=NO_EVENTS, signals=(piece("s", [1.0]),))).samples(
            "arrays/00000001.npy#0:9"
        )


@pytest.mark.fault(source="store", fault="damaged array", ends="BrokenStore that names the file; nothing is changed")
def test_a_damaged_array_says_so(tmp_path: Path) -> None:
    wave = SourceBatch(events=NO_EVENTS, signals=(piece("s", [1.0, 2.0]), piece("t", [3.0] * 50)))
    store = stored(tmp_path, wave)
    reference = store.arrivals(BEGINNING, END).signals["reference"][0].as_py()
    (array,) = (tmp_path / "arrays").iterdir()
    content = array.read_bytes()
    for place in (3, 90, 130, len(content) - 1):  # magic, header, a sample, a sample that was not asked for
        array.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        arrays._mapped.cache_clear()  # as another process
        with pytest.raises(BrokenStore, match="damaged"):
            store.samples(reference)
    with pytest.raises(BrokenStore, match="not of the store"):
        store.samples("arrays/00000009.npy#0:1")


def test_a_prepared_image_of_another_size_is_a_fault_of_the_program(tmp_path: Path) -> None:
    item = replace(picture("i", np.zeros((4, 4), np.float32)))
    with pytest.raises(ValueError, match=r"\[64, 64\]"):
        Store.open(tmp_path, create=True).append(
            [SourceBatch(events=NO_EVENTS, images=(item,))], mode="history", now=0, prepare=lambda pixels, _: pixels
        )


@pytest.mark.fault(
    source="store", fault="two writers", ends="they take turns; every row is kept once; readers do not wait"
)
def test_two_writers_take_turns_and_a_reader_never_waits(tmp_path: Path) -> None:
    Store.open(tmp_path, create=True)

    def write(name: str) -> None:
        mine = Store.open(tmp_path)
        for number in range(5):
            put(mine, batch(Row(f"{name}{number}", number), Row(f"both{number}", number)))

    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for writer in writers:
        writer.start()
    reader = Store.open(tmp_path)
    with writer_lock(tmp_path):  # as held by an ingest under way
        reader.reload()
        assert len(set(ids(reader.arrivals(-1, 9).events))) == reader.arrivals(-1, 9).events.num_rows
    for writer in writers:
        writer.join()
    reader.reload()
    assert sorted(ids(reader.arrivals(-1, 9).events)) == sorted(f"{n}{k}" for n in ("a", "b", "both") for k in range(5))
    assert reader.watermark == len(set(raw(reader).tables["events"]["commit"].to_pylist())) == 10


@pytest.mark.parametrize("held_rows", [100, 3, 0])
def test_a_reader_whose_files_are_merged_away_answers_of_its_own_commit(tmp_path: Path, held_rows: int) -> None:
    """From the newer files, in which rows of later commits lie too; and then it follows them once."""

    def said(reader: Store) -> list[list[object]]:
        found = reader.arrivals(-1, END, known_commits=reader.watermark - 1)
        histories = [ids(reader.history(who, as_of=END).events) for who in (1, 2)]
        people = reader.subjects(END).drop_columns(["identifier", "namespace"]).to_pylist()
        rows = sorted(row for one in reader.readers() for row in ids(one.versions(END)))
        tables = [ids(found.events), sorted(ids(found.signals)), sorted(found.origins.items()), found.late_rows]
        return [*tables, *histories, people, rows, reader.feeds(END), [reader.watermark, found.watermark]]

    def first(path: Path) -> Store:
        rows = [Row("a", 10, subject=1, fact="f"), *(Row(f"x{n}", n, subject=3 + n) for n in range(4))]
        return stored(path, batch(*rows, signals=(piece("s1", [1.0]),)))

    expected = said(first(tmp_path / "alone"))
    writer = first(tmp_path / "s")
    reader = Store(tmp_path / "s", manifests.read(tmp_path / "s"), held_rows)
    later = Row("b", 20, subject=2, fact="f", status="corrected")
    put(writer, batch(later, signals=(piece("s2", [2.0], time=50),)))
    writer.compact()
    assert said(reader) == said(reader) == expected
    reader.reload()
    assert said(reader) == said(Store.open(tmp_path / "s"))


def test_readers_are_of_one_commit_though_files_are_merged_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "READER_ROWS", 1)
    writer = stored(
        tmp_path, batch(Row("a", 10, subject=1, fact="f"), *(Row(f"x{n}", n, subject=3 + n) for n in range(4)))
    )
    readers = Store(tmp_path, manifests.read(tmp_path), 0).readers()
    seen = ids(next(readers).arrivals(-1, END).events)
    put(writer, batch(Row("b", 20, subject=5, fact="f", status="corrected")))
    writer.compact()
    seen += [row for one in readers for row in ids(one.arrivals(-1, END).events)]
    assert sorted(seen) == ["a", "x0", "x1", "x2", "x3"]
