"""Waveforms corrected and withdrawn: a version of several pieces ends whole, in any order, batching and restart."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.records.batch import SignalPiece, SourceBatch
from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.chains import extended, view
from clinical_jepa.store.changed import new_rows
from clinical_jepa.store.changes import COMMIT, Changes
from clinical_jepa.store.events import Store
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.reader import Reader
from clinical_jepa.store.receipt import signal_rows
from clinical_jepa.store.segments import SCHEMAS, with_commit, write_segment
from tests.store import waveform_oracle as oracle
from tests.store.builders import events, ids, linked, piece, put, same_view, stored, telling, withdrawn
from tests.store.waveform_oracle import Told

NO_EVENTS = events([])
UNIT = 20_000_000
instants = st.integers(0, 5).map(lambda n: n * UNIT)  # few of everything, so that things meet


def part(
    event_id: str, available: int, *, fact: str | None = None, version: str | None = None, **more: Any
) -> SignalPiece:
    known = {"available_time": available, "fact_id": fact, "version_id": version, "record_id": "r"} | more
    return replace(piece(event_id, [1.0, 2.0]), **known)


@st.composite
def tellings(draw: st.DrawFn) -> Told:
    """Versions of one to three pieces, each with a time of its own; some pieces are facts of their own."""
    pieces = []
    for number in range(draw(st.integers(1, 5))):
        fact = draw(st.sampled_from([None, "f0", "f0", "f1"]))
        of_version = {"fact": fact, "version": fact and f"v{number}", "subject_id": draw(st.integers(1, 2))}
        of_version |= {"record_id": draw(st.sampled_from([None, "r0", "r1"]))}
        for _ in range(draw(st.integers(1, 3)) if fact else 1):
            name = f"{draw(st.integers(0, 9))}-{len(pieces)}"
            pieces.append(part(name, draw(instants), time=draw(instants), **of_version))
    withdrawals = st.builds(withdrawn, st.sampled_from(["r0", "r1"]), instants)
    links = st.builds(
        lambda one, at, active: linked(one, 3 - one, at, active=active), st.integers(1, 2), instants, st.booleans()
    )
    return Told(
        pieces, draw(st.lists(withdrawals, max_size=2)), draw(st.just([]) | st.lists(links, min_size=1, max_size=3))
    )


def rows_of(pieces: list[SignalPiece], commit: int) -> pa.Table:
    return with_commit(signal_rows(pieces), commit)


def changes_of(told: Told, commit: int) -> Changes:
    whole = SourceBatch(events=NO_EVENTS, retractions=tuple(told.retractions), links=tuple(told.links))
    once = new_rows([whole], lambda _, ids: pl.Series(ids.to_pylist(), dtype=pl.String).is_first_distinct().to_list())
    tables = {kind: with_commit(table, commit) for kind, table in once.items()}
    return Changes(retractions=tables["retractions"], links=tables["links"])


def in_memory(*tellings: Told) -> Store:
    """A store that is never written; each telling is one commit."""
    rows = pa.concat_tables([rows_of(list(told.pieces), n) for n, told in enumerate(tellings, 1)])
    changes = changes_of(tellings[0], 1)
    for number, told in enumerate(tellings[1:], 2):
        more = changes_of(told, number)
        changes = changes.and_(more.retractions, more.links)
    store = Store(Path("nowhere"), Manifest(commit=len(tellings)))
    empty = {kind: view(pa.schema([*SCHEMAS[kind], COMMIT]).empty_table(), changes) for kind in ("events", "images")}
    views = empty | {"signals": view(rows, changes)}
    reader = Reader(commit=store.watermark, views=views, changes=changes)
    store._known = lambda _: reader  # type: ignore[method-assign]
    return store


def answer(store: Store, until: int) -> dict[str, int]:
    table = store.arrivals(BEGINNING, until).signals
    found = dict(zip(ids(table), table["subject_id"].to_pylist(), strict=True))
    assert len(found) == table.num_rows
    return found


@settings(max_examples=120, deadline=None)
@given(tellings(), instants, instants)
def test_what_is_seen_is_the_newest_version_whole(told: Told, one: int, other: int) -> None:
    since, until = min(one, other), max(one, other)
    store = in_memory(told)
    assert answer(store, until) == oracle.seen(told, until)
    rewind = store.arrivals(since, until).rewind
    then, now = oracle.held_since(told, since), oracle.held_since(told, until)
    for (event, subject), instant in then.items():
        if now.get((event, subject)) != instant:
            assert rewind[subject] <= instant
    if set(then.items()) <= set(now.items()):
        assert rewind == {}


@settings(max_examples=60, deadline=None)
@given(tellings(), instants)
def test_nothing_that_comes_later_changes_what_was_seen(told: Told, until: int) -> None:
    whole, cut = in_memory(told), in_memory(told.until(until))
    assert whole.arrivals(BEGINNING, until).signals.equals(cut.arrivals(BEGINNING, until).signals)


@settings(max_examples=120, deadline=None)
@given(tellings(), st.lists(st.integers(0, 1), min_size=25, max_size=25), st.none() | instants)
def test_a_view_that_grows_equals_one_made_at_once(told: Told, which: list[int], cut: int | None) -> None:
    """``cut``: the second part is what came later, as in a live ward; else the parts are mixed."""
    first, second = _parted(told, which, cut)
    known = view(rows_of(list(first.pieces), 1), changes_of(first, 1))
    fresh = changes_of(second, 1)
    both = known.changes.and_(fresh.retractions, fresh.links)
    grown = extended(known, rows_of(list(second.pieces), 1), both, fresh)
    whole = view(rows_of([*first.pieces, *second.pieces], 1), both)
    same_view(grown, whole)


def _parted(told: Told, which: list[int], cut: int | None) -> tuple[Told, Told]:
    lists = (list(told.pieces), list(told.retractions), list(told.links))
    sides = [
        [[one for number, one in enumerate(ones) if _side(one, which[number], cut) == side] for ones in lists]
        for side in (0, 1)
    ]
    return Told(*sides[0]), Told(*sides[1])


def _side(one: Any, chance: int, cut: int | None) -> int:
    return chance if cut is None else int(one.available_time > cut)


@settings(max_examples=80, deadline=None)
@given(tellings(), st.lists(st.integers(0, 1), min_size=25, max_size=25), st.integers(1, 5))
def test_a_memory_restarted_before_rewind_knows_nothing_that_changed(told: Told, which: list[int], step: int) -> None:
    """Late pieces and late withdrawals put everyone in doubt of whom another thing is believed now."""
    since, until = step * UNIT, 8 * UNIT
    known, late = _parted(told, which, None)
    then, now = oracle.held_since(known, since), oracle.held_since(told, since)
    found = in_memory(known, late).arrivals(since, until, known_commits=1)
    for (_, subject), instant in set(then.items()) ^ set(now.items()):
        assert found.rewind[subject] <= instant


@settings(max_examples=12, deadline=None)
@given(tellings(), st.randoms(use_true_random=False))
def test_any_order_batching_restart_and_compaction_give_the_same_answers(told: Told, chance: random.Random) -> None:
    everything = [*told.pieces, *told.retractions, *told.links]
    numbers = list(range(len(everything))) + chance.sample(range(len(everything)), len(everything) // 2)
    chance.shuffle(numbers)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "s", create=True)
        parts = chance.randint(1, 4)
        for which in range(parts):
            mine = [everything[number] for number in numbers[which::parts]]
            put(store, telling(mine))
            if chance.random() < 0.5:
                store = Store.open(Path(folder) / "s")
            elif chance.random() < 0.5:
                store.arrivals(0, END)  # so that views grow
            if chance.random() < 0.3:
                store.compact()
        larger = Store(store.path, manifests.read(store.path), 2)  # than memory
        for reader in (store, Store.open(Path(folder) / "s"), larger):
            for until in (0, 2 * UNIT, 5 * UNIT, 8 * UNIT):
                assert answer(reader, until) == oracle.seen(told, until)


def signals(*pieces: SignalPiece, **more: Any) -> SourceBatch:
    return SourceBatch(events=NO_EVENTS, signals=pieces, **more)


def test_a_shorter_correction_ends_every_piece_of_the_version_before(tmp_path: Path) -> None:
    first = [part(f"a{n}", 10 + n, fact="f", version="v1") for n in range(3)]
    mended = part("b", 50, fact="f", version="v2", status="corrected")
    store = stored(tmp_path, signals(mended), signals(*first))
    assert ids(store.arrivals(0, 49).signals) == ["a0", "a1", "a2"]
    assert ids(store.arrivals(0, 50).signals) == ["b"]
    assert store.arrivals(49, 50).rewind == {1: 10}


def test_pieces_of_a_version_that_ended_before_they_could_be_known_are_never_seen(tmp_path: Path) -> None:
    first = [part(f"a{n}", 10 + 10 * n, fact="f", version="v1") for n in range(3)]
    for name, ends in (("version", signals(part("b", 15, fact="f", version="v2"))), ("withdrawal", None)):
        store = stored(tmp_path / name, signals(*first), ends or signals(retractions=(withdrawn("r", 15),)))
        assert ids(store.arrivals(0, 14).signals) == ["a0"]
        assert ids(store.arrivals(0, 99).signals) == (["b"] if ends else [])


def test_live_versions_count_from_their_commit_in_the_order_of_their_source(tmp_path: Path) -> None:
    store = Store.open(tmp_path, create=True)
    old = [part(f"a{n}", 10 + 90 * n, fact="f", version="v1") for n in range(2)]
    new = [part(f"b{n}", 50 + n, fact="f", version="v2") for n in range(3)]
    put(store, signals(*new, *old), mode="live", now=1000)
    assert ids(store.arrivals(0, 1000).signals) == ["a0", "a1"]
    assert store.arrivals(0, 1001).signals["available_time"].cast("int64").to_pylist() == [1001] * 3
    gone = (withdrawn("r", 70),)
    again = [part(f"c{n}", 80 + n, fact="f", version="v3") for n in range(2)]
    put(store, signals(*again, retractions=gone), mode="live", now=2000)
    assert ids(store.arrivals(0, 1999).signals) == ["b0", "b1", "b2"]
    assert ids(store.arrivals(0, 2000).signals) == []
    assert ids(store.arrivals(0, 3000).signals) == ["c0", "c1"]
    both = signals(part("d", 10, fact="g", version="w", record_id="q"), retractions=(withdrawn("q", 20),))
    put(store, both, mode="live", now=3000)
    assert ids(store.arrivals(2999, 9999).signals) == []


def test_rows_written_before_these_columns_are_facts_of_their_own(tmp_path: Path) -> None:
    stored(tmp_path, signals(part("a", 10), part("b", 20)))
    manifest = manifests.read(tmp_path)
    (segment,) = manifest.of("signals")
    older = pq.read_table(tmp_path / segment.name).drop_columns(["fact_id", "version_id", "status", "record_id"])
    rest = [one for one in manifest.segments if one.kind != "signals"]
    manifests.write(tmp_path, replace(manifest, segments=(*rest, write_segment(tmp_path, "signals", "older", older))))
    put(Store.open(tmp_path), signals(part("c", 30), retractions=(withdrawn("r", 25), withdrawn("r", 40))))
    for store in (Store.open(tmp_path), Store(tmp_path, manifests.read(tmp_path), 0)):  # in memory, and larger than it
        assert ids(store.arrivals(0, 39).signals) == ["a", "b", "c"]
        found = store.arrivals(0, 40).signals
        assert ids(found) == ["a", "b"]
        assert found["fact_id"].to_pylist() == found["status"].to_pylist() == [None, None]
