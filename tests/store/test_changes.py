"""Records withdrawn and subjects linked: against an oracle that lives through it, in any order, batching and restart."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.store.chains import extended, view
from clinical_jepa.store.changed import new_rows
from clinical_jepa.store.changes import COMMIT, NO_CHANGES, Changes
from clinical_jepa.store.events import Store
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.reader import Reader
from clinical_jepa.store.segments import SCHEMAS, with_commit
from tests.store import change_oracle as oracle
from tests.store.builders import Row, batch, events, ids, linked, piece, put, same_view, stored, telling, withdrawn
from tests.store.change_oracle import World

NO_EVENTS = events([])
UNIT = 20_000_000
instants = st.integers(0, 5).map(lambda n: n * UNIT)  # few of everything, so that things meet
subjects = st.integers(1, 3)
records = st.sampled_from(["r0", "r1"])
statuses = st.sampled_from(["final", "final", "final", "amended", "entered-in-error"])
rows_of_one = st.builds(
    Row,
    event_id=st.sampled_from("abcdefgh"),
    available=instants,
    fact=st.sampled_from([None, "f0", "f1"]),
    subject=subjects,
    time=st.none() | instants,
    status=statuses,
    record=st.none() | records,
)
withdrawals = st.builds(withdrawn, records, instants)
links = st.builds(
    lambda one, by, at, active: linked(one, (one + by - 1) % 3 + 1, at, active=active),
    subjects, st.sampled_from([1, 1, 2, 2, 3]), instants, st.sampled_from([True, True, True, False]),
)  # fmt: skip
worlds = st.builds(
    World,
    rows=st.lists(rows_of_one, min_size=2, max_size=8, unique_by=lambda row: row.event_id),
    retractions=st.just([]) | st.lists(withdrawals, min_size=1, max_size=3),
    links=st.just([]) | st.lists(links, min_size=1, max_size=4),
)


def changes_of(world: World, commit: int = 1) -> Changes:
    whole = SourceBatch(events=NO_EVENTS, retractions=tuple(world.retractions), links=tuple(world.links))
    once = new_rows([whole], lambda _, ids: pl.Series(ids.to_pylist(), dtype=pl.String).is_first_distinct().to_list())
    tables = {kind: with_commit(table, commit) for kind, table in once.items()}
    return Changes(retractions=tables["retractions"], links=tables["links"])


def table_of(rows: list[Row], commit: int = 1) -> pa.Table:
    return with_commit(events(rows), commit)


def in_memory(*parts: World) -> Store:
    """A store that is never written; each part is one commit."""
    rows = pa.concat_tables([table_of(list(part.rows), n) for n, part in enumerate(parts, 1)])
    several = [changes_of(part, n) for n, part in enumerate(parts, 1)]
    changes = several[0]
    for more in several[1:]:
        changes = changes.and_(more.retractions, more.links)
    store = Store(Path("nowhere"), Manifest(commit=len(parts)))
    empty = {kind: view(pa.schema([*SCHEMAS[kind], COMMIT]).empty_table(), changes) for kind in ("signals", "images")}
    views = {"events": view(rows, changes), **empty}
    reader = Reader(commit=store.watermark, views=views, changes=changes)
    store._known = lambda _: reader  # type: ignore[method-assign]
    return store


def answer(store: Store, since: int, until: int) -> list[tuple[int, str, int]]:
    table = store.arrivals(since, until).events
    return list(
        zip(table["available_time"].cast("int64").to_pylist(), ids(table), table["subject_id"].to_pylist(), strict=True)
    )


@settings(max_examples=200, deadline=None)
@given(worlds, instants, instants)
def test_what_is_seen_is_what_one_who_lived_through_it_holds(world: World, one: int, other: int) -> None:
    since, until = min(one, other), max(one, other)
    store = in_memory(world)
    found = store.arrivals(since, until)
    assert answer(store, since, until) == oracle.arrivals(world, since, until)
    assert found.rewind == oracle.rewind(world, since, until)
    assert found.origins == oracle.origins(world, until)
    for subject in (1, 2, 3):
        mine = store.history(subject, as_of=until, since=since).events
        assert mine.equals(found.events.filter(pa.compute.equal(found.events["subject_id"], subject)))
        assert store.owner(subject, until) == oracle.owner(subject, world.until(until).links)


@settings(max_examples=60, deadline=None)
@given(worlds, instants)
def test_nothing_that_comes_later_changes_what_was_seen(world: World, until: int) -> None:
    whole, cut = in_memory(world), in_memory(world.until(until))
    assert whole.arrivals(BEGINNING, until).events.equals(cut.arrivals(BEGINNING, until).events)
    assert whole.extents(until) == cut.extents(until)
    assert whole.feeds(until) == cut.feeds(until)
    assert whole.with_codes(("LOINC",), until).equals(cut.with_codes(("LOINC",), until))


@settings(max_examples=150, deadline=None)
@given(worlds, st.lists(st.integers(0, 1), min_size=20, max_size=20), st.none() | instants)
def test_a_view_that_grows_equals_one_made_at_once(world: World, which: list[int], cut: int | None) -> None:
    """``cut``: the second part is what came later, as in a live ward; else the parts are mixed."""
    first, second = _parted(world, which, cut)
    known = view(table_of(list(first.rows)), changes_of(first))
    fresh = changes_of(second)
    both = known.changes.and_(fresh.retractions, fresh.links)
    grown = extended(known, table_of(list(second.rows)), both, fresh)
    whole = view(table_of([*first.rows, *second.rows]), both)
    same_view(grown, whole)


def _parted(world: World, which: list[int], cut: int | None) -> tuple[World, World]:
    if cut is not None:
        first = world.until(cut)
        later = [
            [one for one in ones if one not in kept] for ones, kept in zip(_lists(world), _lists(first), strict=True)
        ]
        return first, World(*later)
    sides = [
        [[one for number, one in enumerate(ones) if which[number] == side] for ones in _lists(world)] for side in (0, 1)
    ]
    return World(*sides[0]), World(*sides[1])


def _lists(world: World) -> tuple[list, list, list]:  # type: ignore[type-arg]
    return list(world.rows), list(world.retractions), list(world.links)


@settings(max_examples=150, deadline=None)
@given(worlds, st.lists(st.integers(0, 1), min_size=20, max_size=20), st.integers(2, 5), st.booleans())
def test_a_memory_restarted_before_rewind_knows_nothing_that_changed(
    world: World, which: list[int], step: int, changes_only: bool
) -> None:
    """Late rows, late withdrawals and late links put everyone in doubt of whom another thing is believed now."""
    since, until = step * UNIT, 8 * UNIT
    known, late = _parted(world, which, None)
    if changes_only:
        known, late = World(world.rows), World([], world.retractions, world.links)
    then, now = set(oracle.arrivals(known, BEGINNING, since)), set(oracle.arrivals(world, BEGINNING, until))
    now = {one for one in now if one[0] <= since}
    found = in_memory(known, late).arrivals(since, until, known_commits=1)
    for available, _, subject in then ^ now:
        assert found.rewind[subject] <= available


@settings(max_examples=12, deadline=None)
@given(worlds, st.randoms(use_true_random=False))
def test_any_order_batching_restart_and_compaction_give_the_same_answers(world: World, chance: random.Random) -> None:
    everything = [*world.rows, *world.retractions, *world.links]
    twice = everything + chance.sample(everything, len(everything) // 2)
    chance.shuffle(twice)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "s", create=True)
        parts = chance.randint(1, 4)
        for part in range(parts):
            mine = twice[part::parts]
            put(store, telling(mine))
            if chance.random() < 0.5:
                store = Store.open(Path(folder) / "s")
            elif chance.random() < 0.5:
                store.arrivals(0, END)  # so that views grow
            if chance.random() < 0.3:
                store.compact()
        for reader in (store, Store.open(Path(folder) / "s")):
            for until in (0, 2 * UNIT, 5 * UNIT, 8 * UNIT):
                assert answer(reader, -1, until) == oracle.arrivals(world, -1, until)
        rest = store.rejections().num_rows
        assert rest == len(store._known(store._manifest).changes.owners.circular)


V1 = Row("a", 20, subject=1, fact="f", record="r")
GONE = Row("z", 25, subject=1, fact="f", status="entered-in-error")


@pytest.mark.parametrize(
    ("known", "late", "doubts"),
    [
        (World([V1]), World([], [withdrawn("r", 50)]), {1: 20}),
        (World([V1]), World([], [], [linked(1, 2, 50)]), {1: 20, 2: 20}),
        (World([V1], [], [linked(1, 2, 50)]), World([], [withdrawn("r", 30)]), {1: 20, 2: 20}),  # 2 had it since 50
        (World([V1], [], [linked(1, 2, 50)]), World([GONE]), {1: 20, 2: 20}),
        (World([V1], [], [linked(1, 2, 10)]), World([], [], [linked(1, 3, 15)]), {1: 20, 2: 20, 3: 20}),
        (World([V1], [withdrawn("r", 30)]), World([], [withdrawn("r", 90)]), {}),
    ],
)
def test_what_comes_late_puts_in_doubt_whoever_had_it(known: World, late: World, doubts: dict[int, int]) -> None:
    assert in_memory(known, late).arrivals(60, 80, known_commits=1).rewind == doubts
    assert in_memory(known, late).arrivals(60, 80, known_commits=2).rewind == {}


def test_a_withdrawn_record_is_gone_from_then_on_and_may_be_said_again(tmp_path: Path) -> None:
    first = [Row("a", 1, record="r"), Row("b", 2, record="r"), Row("c", 2, record="other")]
    store = stored(tmp_path, batch(*first, Row("d", 9, fact="fact of a", record="r"), retractions=(withdrawn("r", 5),)))
    assert ids(store.arrivals(0, 4).events) == ["a", "b", "c"]
    assert ids(store.arrivals(0, 5).events) == ["c"]
    assert store.arrivals(4, 5).rewind == {1: 1}
    assert ids(store.arrivals(0, 9).events) == ["c", "d"]


def test_merge_moves_everything_and_unmerge_moves_it_back(tmp_path: Path) -> None:
    wave = piece("s", [1.0] * 10, subject=7)
    old = batch(Row("a", 1, subject=7), Row("b", 2, subject=8), signals=(wave,))
    store = stored(tmp_path, old, SourceBatch(events=NO_EVENTS, links=(linked(7, 8, 100_000),)))
    put(store, batch(Row("c", 110_000, subject=7)))
    put(store, SourceBatch(events=NO_EVENTS, links=(linked(7, 8, 200_000, active=False),)))
    assert [ids(store.history(who, as_of=99_999).events) for who in (7, 8)] == [["a"], ["b"]]
    assert [ids(store.history(who, as_of=110_000).events) for who in (7, 8)] == [[], ["b", "a", "c"]]
    assert [store.history(who, as_of=110_000).signals.num_rows for who in (7, 8)] == [0, 1]
    assert [ids(store.history(who, as_of=200_000).events) for who in (7, 8)] == [["a", "c"], ["b"]]
    assert store.arrivals(99_999, 100_000).rewind == {7: 1}
    assert store.arrivals(199_999, 200_000).rewind == {8: 100_000}
    assert (store.owner(7, 99_999), store.owner(7, 100_000), store.owner(7, 200_000)) == (7, 8, 7)


def test_a_circle_of_links_is_refused_and_listed_whatever_came_first(tmp_path: Path) -> None:
    circle = (linked(1, 2, 10), linked(2, 3, 20), linked(3, 1, 30), linked(4, 4, 5))
    for folder, order in (("a", circle), ("b", circle[::-1])):
        store = stored(tmp_path / folder, *(SourceBatch(events=NO_EVENTS, links=(one,)) for one in order))
        put(store, batch(Row("x", 1, subject=1), Row("y", 1, subject=4)))
        assert answer(store, 1, 40) == [(20, "x", 3)]
        refused = store.rejections().to_pylist()
        assert [(row["reason"], row["source"]) for row in refused] == [("invalid", "test")] * 2
        assert store.rejection(refused[0]["rejection_id"])["message"].startswith("links subjects in a circle")


def test_live_changes_count_from_their_commit_in_the_order_of_their_source(tmp_path: Path) -> None:
    store = Store.open(tmp_path, create=True)
    put(store, batch(Row("a", 1, record="r")), mode="live", now=100)
    put(store, batch(retractions=(withdrawn("r", 2),)), mode="live", now=100)  # the clock stood still
    assert ids(store.arrivals(0, 100).events) == ["a"]
    assert ids(store.arrivals(0, 101).events) == []
    both = batch(
        Row("b", 10, record="q"), Row("c", 30, record="q", fact="fact of b"), retractions=(withdrawn("q", 20),)
    )
    put(store, both, mode="live", now=200)
    assert ids(store.arrivals(0, 300).events) == ["c"]
    put(store, batch(Row("d", 10, record="p"), retractions=(withdrawn("p", 20),)), mode="live", now=300)
    assert ids(store.arrivals(0, 400).events) == ["c"]
    again = put(store, batch(Row("d", 10, record="p"), retractions=(withdrawn("p", 20),)), mode="live", now=500)
    assert (again.events, again.retractions) == (0, 0)
    put(
        store,
        SourceBatch(events=NO_EVENTS, links=(linked(1, 2, 7, active=False), linked(1, 2, 6))),
        mode="live",
        now=600,
    )
    assert (store.owner(1, 600), store.owner(1, 601)) == (2, 1)


@pytest.mark.parametrize("kind", ["retractions", "links"])
def test_changes_are_counted_once(tmp_path: Path, kind: str) -> None:
    one = SourceBatch(events=NO_EVENTS, retractions=(withdrawn("r", 1),), links=(linked(1, 2, 3),))
    store = Store.open(tmp_path, create=True)
    added = [put(store, one), put(Store.open(tmp_path), one)]
    assert [getattr(one, kind) for one in added] == [1, 0]
    assert store.reload() == 1
    assert not NO_CHANGES
