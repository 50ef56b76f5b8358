"""A store that does not fit into memory answers as one that does, and reads no more than it must."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.records.views import Arrivals
from clinical_jepa.store import groups, manifest, reader
from clinical_jepa.store.events import Store
from clinical_jepa.store.groups import Groups
from clinical_jepa.store.large import Large
from tests.store.builders import Row, batch, ids, linked, piece, put, stored, telling, withdrawn
from tests.store.change_oracle import World
from tests.store.test_changes import UNIT, instants, worlds

HELD = (0, 3, 6)  # rows: nothing is kept, some people, most of them


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "READER_ROWS", 1)


def opened(path: Path, held_rows: int) -> Store:
    store = Store(path, manifest.read(path), held_rows)
    assert held_rows > 6 or isinstance(store._known(store._manifest), Large)
    return store


def plain(found: Arrivals) -> dict[str, Any]:
    """Everything an answer says."""
    tables = {kind: getattr(found, kind).to_pylist() for kind in ("events", "signals", "images")}
    rest = {name: getattr(found, name) for name in ("since", "until", "rewind", "late_rows", "watermark")}
    return tables | rest | {"origins": dict(found.origins)}


def asked(store: Store, since: int, until: int, known_commits: int | None) -> list[Any]:
    """What a store says to every question."""
    people = (1, 2, 3, 4)
    extents = [store.extents(until), store.extents(until, since)]
    histories = [plain(store.history(one, as_of=until, since=since)) for one in people]
    return [
        plain(store.arrivals(since, until, known_commits=known_commits)),
        histories,
        extents,
        [store.owner(one, until) for one in people],
        store.with_codes(("LOINC",), until).to_pylist(),
        store.subjects(until).to_pylist(),
        store.feeds(until),
        store.bases(until),
        sorted(row["event_id"] for reader in store.readers() for row in reader.versions(until).to_pylist()),
        sorted(str(row) for reader in store.readers() for row in reader.arrivals(since, until).events.to_pylist()),
    ]


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])  # to shrink takes too long
@given(worlds, st.lists(st.tuples(instants, instants), min_size=3, max_size=3), st.randoms(use_true_random=False))
def test_it_answers_as_a_store_that_fits(world: World, questions: list[tuple[int, int]], chance: random.Random) -> None:
    everything = [*world.rows, *world.retractions, *world.links]
    chance.shuffle(everything)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        writer = stored(path, *[batch(Row(f"other{n}", n * UNIT, subject=4)) for n in range(7)])
        large = [opened(path, held) for held in HELD]
        for number, (one, other) in enumerate(questions):
            mine = everything[number :: len(questions)]
            put(writer, telling(mine))
            if chance.random() < 0.3:
                writer.compact()
            since, until = min(one, other), max(one, other)
            known = chance.choice([None, 7, writer.watermark - 1])
            whole = asked(Store.open(path), since, until, known)
            for store in large:
                store.reload()
                assert asked(store, since, until, known) == whole


def test_one_persons_history_reads_their_rows_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [Row(f"{who}-{n}", n, subject=who) for who in range(1, 9) for n in range(50)]
    store = stored(tmp_path, batch(*rows), batch(Row("wave", 1, subject=9), signals=(piece("s", [1.0], subject=9),)))
    store.compact()
    read: list[int] = []
    honest = reader.read_kind

    def watched(*args: Any, **more: Any) -> Any:
        table = honest(*args, **more)
        if args[2] in ("events", "signals", "images"):
            read.append(table.num_rows)
        return table

    monkeypatch.setattr(reader, "read_kind", watched)
    store = opened(tmp_path, 0)
    assert ids(store.history(3, as_of=END).events) == [f"3-{n}" for n in range(50)]
    assert sum(read) == 50


def test_a_ward_is_followed_commit_by_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the last ticks asked about is not read again: of later commits the new rows are."""
    writer = stored(tmp_path, batch(*(Row(f"{who}-{n}", n, subject=who) for who in (1, 2, 3) for n in range(100))))
    store = opened(tmp_path, 250)
    put(writer, batch(Row("news 1", 200, subject=1), Row("news 2", 201, subject=2)))
    store.reload()
    assert ids(store.arrivals(150, 250, known_commits=1).events) == ["news 1", "news 2"]
    followed: list[int] = []
    honest = reader.extended

    def watched(known: Any, rows: Any, *more: Any) -> Any:
        followed.append(rows.num_rows)
        return honest(known, rows, *more)

    monkeypatch.setattr(reader, "extended", watched)
    put(writer, batch(Row("news 3", 300, subject=2), Row("fixed", 301, fact="fact of 1-7", status="corrected")))
    store.reload()
    found = store.arrivals(250, 350, known_commits=2)
    assert (ids(found.events), found.rewind, sum(followed)) == (["news 3", "fixed"], {1: 7}, 2)
    assert len(store.history(2, as_of=END).events) == 102


def test_a_fact_that_moves_to_another_person_is_gone_from_the_first(tmp_path: Path) -> None:
    wrong, right = Row("a", 10, subject=1, fact="f"), Row("b", 20, subject=2, fact="f", status="corrected")
    for name, batches in {"apart": [batch(wrong), batch(right)], "at once": [batch(wrong, right)]}.items():
        stored(tmp_path / name, *batches, batch(*(Row(f"x{n}", n, subject=3) for n in range(9))))
        store = opened(tmp_path / name, 0)
        assert [ids(store.history(who, as_of=15).events) for who in (1, 2)] == [["a"], []]
        assert [ids(store.history(who, as_of=25).events) for who in (1, 2)] == [[], ["b"]]


def test_groups_are_closed_and_everybody_is_in_one(tmp_path: Path) -> None:
    rows = [Row(f"e{who}", who, subject=who) for who in range(1, 8)]
    both = (Row("a", 1, subject=1, fact="f"), Row("b", 2, subject=6, fact="f"))
    store = stored(tmp_path, batch(*rows, *both), batch(links=(linked(2, 5, 4),)))
    found = [one.subjects.tolist() for one in Groups(tmp_path, store._manifest).every()]  # type: ignore[union-attr]
    assert found == [[1, 6], [2, 5], [3], [4], [7]]


def test_a_withdrawal_concerns_people_of_whom_nothing_came(tmp_path: Path) -> None:
    store = stored(tmp_path, batch(*(Row(f"e{who}", 5, subject=who, record=f"r{who}") for who in range(1, 9))))
    put(store, batch(retractions=(withdrawn("r4", 50),)))
    found = opened(tmp_path, 0).arrivals(40, 60, known_commits=2)
    assert (found.events.num_rows, found.rewind) == (0, {4: 5})


def test_a_merge_brings_rows_to_one_to_whom_nothing_else_came(tmp_path: Path) -> None:
    stored(tmp_path, batch(*(Row(f"e{who}", 5, subject=who) for who in range(1, 9))), batch(links=(linked(2, 7, 50),)))
    found = opened(tmp_path, 0).arrivals(40, 60, known_commits=2)
    assert (ids(found.events), found.events["subject_id"].to_pylist()) == (["e2"], [7])
    assert opened(tmp_path, 0).extents(60, 40) == {7: (5, 50)}


def test_readers_hold_everything_once(tmp_path: Path) -> None:
    stored(tmp_path, batch(*(Row(f"{who}-{n}", n, subject=who) for who in range(1, 6) for n in range(4))))
    whole, readers = Store.open(tmp_path), list(opened(tmp_path, 0).readers())
    assert len(readers) == 5
    rows = [row for one in readers for row in ids(one.arrivals(BEGINNING, END).events)]
    assert sorted(rows) == sorted(ids(whole.arrivals(BEGINNING, END).events))
    assert np.concatenate([one.subjects for one in readers]).tolist() == [1, 2, 3, 4, 5]  # type: ignore[misc]
