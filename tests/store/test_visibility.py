"""The law of what is seen when, against a row-by-row oracle."""

from __future__ import annotations

import random
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.records.instant import BEGINNING
from clinical_jepa.store.chains import extended, view
from clinical_jepa.store.changes import COMMIT
from clinical_jepa.store.events import Store
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.reader import Reader
from clinical_jepa.store.segments import SCHEMAS
from clinical_jepa.store.visible import View
from tests.store import oracle
from tests.store.builders import Row, batch, events, ids, put, stored

instants = st.integers(0, 12).map(lambda n: n * 20_000_000)  # few, so that ties are common
statuses = st.sampled_from(["final", "final", "preliminary", "amended", "corrected", "cancelled", "entered-in-error"])


@st.composite
def worlds(draw: st.DrawFn) -> list[Row]:
    """Rows of few facts."""
    count = draw(st.integers(0, 14))
    rows = [
        Row(
            event_id=f"{draw(st.integers(0, 9))}-{number:02}",
            available=draw(instants),
            fact=f"f{draw(st.integers(0, 5))}",
            subject=draw(st.integers(1, 3)),
            time=draw(st.none() | instants),
            status=draw(statuses),
        )
        for number in range(count)
    ]
    return rows


def in_memory(rows: list[Row], commits: list[int] | None = None) -> Store:
    """A store that is never written: the same reads on a view made directly."""
    store = Store(Path("nowhere"), Manifest(commit=max(commits or [0])))
    table = events(rows).append_column(COMMIT, pa.array(commits or [0] * len(rows), pa.int64()))
    views = {"events": view(table), "signals": _empty("signals"), "images": _empty("images")}
    reader = Reader(commit=store.watermark, views=views)
    store._known = lambda _: reader  # type: ignore[method-assign]
    return store


@cache
def _empty(kind: str) -> View:
    return view(pa.schema([*SCHEMAS[kind], COMMIT]).empty_table())


@given(worlds(), instants, instants)
def test_arrivals_are_the_newest_versions_as_of_until(rows: list[Row], one: int, other: int) -> None:
    since, until = min(one, other), max(one, other)
    found = in_memory(rows).arrivals(since, until)
    assert ids(found.events) == oracle.arrivals(rows, since, until)
    assert found.rewind == oracle.rewind(rows, since, until)
    assert found.origins == oracle.origins(rows, until)
    assert (found.late_rows, found.since, found.until) == (0, since, until)


@given(worlds(), instants, instants)
def test_history_is_one_subjects_part_of_arrivals(rows: list[Row], one: int, other: int) -> None:
    since, until = min(one, other), max(one, other)
    store = in_memory(rows)
    together = store.arrivals(since, until)
    for subject in (1, 2, 3, 4):
        alone = store.history(subject, as_of=until, since=since)
        mine = together.events.filter(pa.compute.equal(together.events["subject_id"], subject))
        assert alone.events.equals(mine)
        assert alone.origins.get(subject) == together.origins.get(subject)


@given(worlds(), instants)
def test_nothing_available_later_changes_the_answer(rows: list[Row], until: int) -> None:
    past = [row for row in rows if row.available <= until]
    whole, cut = in_memory(rows), in_memory(past)
    assert whole.arrivals(BEGINNING, until).events.equals(cut.arrivals(BEGINNING, until).events)
    assert whole.subjects(until).equals(cut.subjects(until))
    assert whole.extents(until) == cut.extents(until)
    assert whole.feeds(until) == cut.feeds(until)
    assert whole.with_codes(("LOINC",), until).equals(cut.with_codes(("LOINC",), until))


@given(worlds(), st.lists(st.integers(1, 3), min_size=14, max_size=14), instants, instants)
def test_late_rows_are_counted_and_doubt_their_subjects(rows: list[Row], commits: list[int], a: int, b: int) -> None:
    since, until = min(a, b), max(a, b)
    commits = commits[: len(rows)]
    late = frozenset(row.event_id for row, commit in zip(rows, commits, strict=True) if commit > 2)
    found = in_memory(rows, commits).arrivals(since, until, known_commits=2)
    assert ids(found.events) == oracle.arrivals(rows, since, until)
    assert found.rewind == oracle.rewind(rows, since, until, late)
    assert found.late_rows == sum(row.event_id in late and row.available <= since for row in rows)


@given(worlds(), st.lists(st.booleans(), min_size=14, max_size=14), instants, instants)
def test_a_memory_restarted_before_rewind_knows_nothing_that_changed(
    rows: list[Row], late: list[bool], one: int, other: int
) -> None:
    """The meaning of ``rewind``: what was seen then and what is seen of that time now agree before it."""
    since, until = min(one, other), max(one, other)
    commits = [1 + is_late for is_late in late[: len(rows)]]
    known = [row for row, commit in zip(rows, commits, strict=True) if commit == 1]
    then = {row.event_id: row for row in oracle.seen(known, since)}
    now = {row.event_id: row for row in oracle.seen(rows, until) if row.available <= since}
    found = in_memory(rows, commits).arrivals(since, until, known_commits=1)
    for name in then.keys() ^ now.keys():
        row = then.get(name) or now[name]
        assert found.rewind[row.subject] <= row.available


@given(worlds(), instants, st.booleans())
def test_a_view_that_grows_equals_one_made_at_once(rows: list[Row], cut: int, mixed: bool) -> None:
    """``mixed``: the parts lie in each other's time; else the second is newer, as live rows are."""
    first = rows[::2] if mixed else [row for row in rows if row.available <= cut]
    second = [row for row in rows if row not in first]
    tables = [_with_commit(events(part)) for part in (first, second, first + second)]
    grown, whole = extended(view(tables[0]), tables[1]), view(tables[2])
    assert grown.table.combine_chunks().equals(whole.table)
    for name in ("available", "hidden_from", "previous", "subject", "by_subject", "subjects", "starts"):
        assert np.array_equal(getattr(grown, name), getattr(whole, name)), name


def _with_commit(table: pa.Table) -> pa.Table:
    return table.append_column(COMMIT, pa.array([1] * table.num_rows, pa.int64()))


@settings(max_examples=15, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_any_order_of_ingest_and_compaction_give_the_same_answers(rows: list[Row], chance: random.Random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "s", create=True)
        shuffled = rows + chance.sample(rows, len(rows) // 2)  # some come twice
        chance.shuffle(shuffled)
        parts = chance.randint(1, 4)
        added = [put(store, batch(*shuffled[part::parts])) for part in range(parts)]
        assert sum(one.events for one in added) == len(rows)
        assert sum(one.duplicates for one in added) == len(shuffled) - len(rows)
        _answers_like_the_oracle(store, rows)
        store.compact()
        _answers_like_the_oracle(store, rows)
        _answers_like_the_oracle(Store.open(Path(folder) / "s"), rows)


def _answers_like_the_oracle(store: Store, rows: list[Row]) -> None:
    for until in (0, 100_000_000, 240_000_000):
        assert ids(store.arrivals(-1, until).events) == oracle.arrivals(rows, -1, until)


def test_a_fact_that_moves_to_another_subject_rewinds_the_one_it_left(tmp_path: Path) -> None:
    wrong = Row("a", 10, fact="f", subject=1)
    right = Row("b", 20, fact="f", subject=2, status="corrected")
    found = stored(tmp_path, batch(wrong, right)).arrivals(15, 30)
    assert found.rewind == {1: 10}
    assert found.events["subject_id"].to_pylist() == [2]
