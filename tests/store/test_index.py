"""The index on disk against sets in memory; merges that change no answer; damage that is found."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.records.errors import BrokenStore
from clinical_jepa.records.instant import END
from clinical_jepa.store import index, merging
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store import parts as parts_of_a_commit
from clinical_jepa.store.events import Store
from clinical_jepa.store.files import digest
from clinical_jepa.store.groups import Groups
from clinical_jepa.store.index import Index, Keys
from clinical_jepa.store.manifest import Manifest, Segment
from clinical_jepa.store.owners import joined
from tests.store.builders import Row, batch, ids, put, stored

few = st.integers(0, 5)
said = st.lists(st.tuples(few, few, st.integers(1, 3)), max_size=30)  # fact, event, subject


def keys(rows: list[tuple[int, int, int]]) -> Keys:
    columns = np.array(rows, np.uint64).reshape(-1, 3).T
    return Keys(fact=columns[0] * np.uint64(3 << 60), event=columns[1], subject=columns[2])


def written(root: Path, parts: list[list[tuple[int, int, int]]]) -> Index:
    (root / index.FOLDER).mkdir(exist_ok=True)
    files = {}
    for number, part in enumerate(part for part in parts if part):
        name = f"{index.FOLDER}/{number}.npy"
        index.write(root, name, keys(part))
        files[name] = digest(root / name)
    return Index(root=root, files=files)


def pairs(one: list[tuple[int, int, int]], other: list[tuple[int, int, int]]) -> set[tuple[int, int]]:
    """By comparing all with all."""
    both = [(a, b) for a in one for b in other if a[0] == b[0] and a[2] != b[2]]
    return {(min(a[2], b[2]), max(a[2], b[2])) for a, b in both}


@settings(deadline=None, max_examples=60)
@given(st.lists(said, max_size=4), said, st.sampled_from([1, 7, 10**6]))
def test_it_holds_what_was_written_and_knows_who_shares_a_fact(
    tmp_path_factory: Any, parts: list[list[tuple[int, int, int]]], new: list[tuple[int, int, int]], far: int
) -> None:
    root = tmp_path_factory.mktemp("index")
    known = written(root, parts)
    every = [row for part in parts for row in part]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "FAR", far)
        if known.files:
            index.merge(root, f"{index.FOLDER}/merged.npy", list(known.files))
            merged = Index(root=root, files={"index/merged.npy": digest(root / "index/merged.npy")})
            assert np.load(root / "index/merged.npy").shape == (3, len(every))
        else:
            merged = known
        for one in (known, merged):
            found = one.look(keys(new))
            held, shared = found.held, found.pairs
            assert found.said.tolist() == [row[0] in {other[0] for other in every} for row in new]
            assert held.tolist() == [row[:2] in {other[:2] for other in every} for row in new]
            assert {tuple(pair) for pair in shared.tolist()} == pairs(every, new)


@given(said)
def test_among_rows_that_come_together_the_first_of_equals_is_kept(new: list[tuple[int, int, int]]) -> None:
    first, shared = index.inside(keys(new))
    assert first.tolist() == [row[:2] not in [other[:2] for other in new[:place]] for place, row in enumerate(new)]
    assert _linked({tuple(pair) for pair in shared.tolist()}) == _linked(pairs(new, new))


@given(st.lists(st.tuples(few, few), max_size=12))
def test_joined_subjects_are_all_who_pairs_connect(pairs_said: list[tuple[int, int]]) -> None:
    for subject, group in joined(pairs_said).items():
        reached, before = {subject}, set[int]()
        while reached != before:
            before = set(reached)
            reached |= {one for pair in pairs_said if reached & set(pair) for one in pair}
        assert group == reached
    assert set(joined(pairs_said)) == {one for pair in pairs_said for one in pair}


def test_a_large_group_is_kept_once_and_not_once_for_each_of_it() -> None:
    assert len({id(group) for group in joined((0, other) for other in range(1, 1000)).values()}) == 1


@pytest.mark.parametrize("mode", ["live", "history"])
@pytest.mark.parametrize("commits", [1, 2])
def test_a_fact_said_of_two_subjects_joins_them_once(tmp_path: Path, mode: str, commits: int) -> None:
    rows = Row("wrong", 5, fact="f", subject=1), Row("right", 6, fact="f", subject=2)
    said = [batch(*rows)] if commits == 1 else [batch(row) for row in rows]
    store = Store.open(tmp_path, create=True)
    for number, one in enumerate(said):
        put(store, one, mode=mode, now=100 + number)
    assert Groups(tmp_path, manifests.read(tmp_path)).kin == {1: {1, 2}, 2: {1, 2}}
    assert ids(store.history(1, as_of=END).events) == []
    assert ids(store.history(2, as_of=END).events) == ["right"]
    before = store.watermark
    for one in said:
        assert put(store, one, mode=mode, now=200).duplicates == len(rows) / commits
    assert store.watermark == before  # twice is once


def _linked(both: set[tuple[int, ...]]) -> set[frozenset[int]]:
    """Who hangs together: neighbours say it as well as all pairs."""
    groups: list[set[int]] = []
    for pair in both:
        mine = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if group not in mine] + [set(pair).union(*mine)]
    return {frozenset(group) for group in groups}


def test_ids_are_halves_of_hashes_and_other_texts_are_hashed() -> None:
    names = [secrets.token_hex(16) for _ in range(50)] + ["e1", "00e1", "x" * 32, "é"]
    table = pa.table({"event_id": names, "fact_id": [None, *names[1:]], "subject_id": pa.array([1] * 54, pa.int64())})
    found = Keys.of(table)
    assert found.event[:50].tolist() == [int(name[16:], 16) for name in names[:50]]
    assert found.fact[:50].tolist() == [int(name[:16], 16) for name in names[:50]]
    assert len(set(found.event.tolist())) == len(set(found.fact.tolist())) == 54


def test_a_lookup_holds_a_part_of_the_index_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(1)
    facts = chance.integers(0, 2**64, 4000, np.uint64)
    many = Keys(fact=facts, event=np.arange(4000, dtype=np.uint64), subject=np.ones(4000, np.uint64))
    (tmp_path / index.FOLDER).mkdir()
    index.write(tmp_path, "index/a.npy", many)
    monkeypatch.setattr(index, "FAR", 100)
    looked: list[int] = []
    honest: Callable[..., Any] = index._look

    def watched(rows: Any, wanted: Any, places: np.ndarray, *marks: Any) -> Any:
        looked.append(int(np.ptp(np.searchsorted(rows[0], wanted.fact[places]))))
        return honest(rows, wanted, places, *marks)

    monkeypatch.setattr(index, "_look", watched)
    known = Index(root=tmp_path, files={"index/a.npy": digest(tmp_path / "index/a.npy")})
    assert known.look(many).held.all()
    assert len(looked) == 40
    assert max(looked) <= 150


@pytest.mark.fault(source="store", fault="damaged index", ends="BrokenStore that names the file; nothing is changed")
def test_a_damaged_index_says_so_before_anything_is_written(tmp_path: Path) -> None:
    store = stored(tmp_path, batch(Row("a", 1)))
    (path,) = (tmp_path / "index").iterdir()
    content = path.read_bytes()
    before = (tmp_path / manifests.NAME).read_bytes()
    for place in (3, 70, len(content) - 1):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(BrokenStore, match=r"index.*damaged"):
            put(store, batch(Row("b", 2)))
        assert (tmp_path / manifests.NAME).read_bytes() == before
    path.write_bytes(content)
    assert put(store, batch(Row("a", 1), Row("b", 2))).events == 1


def test_runs_are_merged_as_the_store_grows_and_each_row_is_written_anew_a_few_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "SMALL_ROWS", 0)
    monkeypatch.setattr(merging, "MANY", 4)
    monkeypatch.setattr(index.fewer, "__kwdefaults__", {"many": 3})
    written_rows: list[int] = []
    honest = merging.write_segment

    def watched(root: Path, kind: str, stem: str, table: pa.Table) -> Segment:
        written_rows.append(table.num_rows if kind == "events" else 0)
        return honest(root, kind, stem, table)

    monkeypatch.setattr(merging, "write_segment", watched)
    store = Store.open(tmp_path, create=True)
    for number in range(64):
        put(store, batch(Row(f"e{number:03}", number, subject=number % 5)))
    known = manifests.read(tmp_path)
    assert len({one.run for one in known.of("events")}) <= 4
    assert len(known.index) <= 3
    assert sum(written_rows) <= 64 * np.log2(64)
    assert ids(Store.open(tmp_path).arrivals(-1, END).events) == [f"e{number:03}" for number in range(64)]
    assert put(store, *(batch(Row(f"e{number:03}", number, subject=number % 5)) for number in range(64))).events == 0


def test_a_segment_is_asked_for_those_of_whom_it_may_hold_rows() -> None:
    from clinical_jepa.store.segments import of_subjects

    spans = [(1, 4), (5, 5), (7, 20)]
    known = Manifest(commit=1, segments=tuple(_segment(first, last) for first, last in spans))
    wanted = {(0,): [], (5,): [(5, 5)], (4, 6): [(1, 4)], (6,): [], (2, 20): [(1, 4), (7, 20)], (21,): []}
    for subjects, found in wanted.items():
        chosen = of_subjects(known.of("events"), np.array(subjects, np.int64))
        assert [(one.first_subject, one.last_subject) for one in chosen] == found


def _segment(first: int, last: int) -> Segment:
    numbers = dict.fromkeys(("rows", "first_commit", "last_commit", "min_available", "max_available"), 1)
    return Segment(
        kind="events", name=f"events/{first}.parquet", digest="", first_subject=first, last_subject=last, **numbers
    )


def test_rows_lie_by_subject_so_that_one_is_read_without_the_others(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    stored(tmp_path, batch(*(Row(f"{n}", n, subject=9 - n % 3) for n in range(9))))
    (path,) = (tmp_path / "events").iterdir()
    rows = pl.DataFrame(pl.from_arrow(pq.ParquetFile(path).read(["subject_id", "available_time"])))
    assert rows.equals(rows.sort("subject_id", "available_time"))


def test_a_unit_of_many_parts_keeps_its_index_in_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part looks through what the parts before it wrote."""
    monkeypatch.setattr(parts_of_a_commit, "PART_ROWS", 2)
    looked: list[int] = []
    honest = Index.look

    def watched(self: Index, wanted: Keys) -> Any:
        looked.append(len(self.files))
        return honest(self, wanted)

    monkeypatch.setattr(Index, "look", watched)
    rows = [batch(Row(f"e{number}", number), Row(f"f{number}", number)) for number in range(60)]
    store = Store.open(tmp_path, create=True)
    assert put(store, *rows, *rows[::7]).duplicates == 2 * len(rows[::7])
    assert len(looked) == 69
    assert max(looked) <= index.MANY
