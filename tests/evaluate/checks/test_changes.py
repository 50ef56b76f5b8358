"""The checks shuffle and scramble withdrawals and links too: a store made again of all rows answers the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clinical_jepa.evaluate.checks.raw import as_batch, between, raw
from clinical_jepa.evaluate.checks.replay_child import shuffled
from clinical_jepa.evaluate.checks.scramble import scrambled
from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.store.events import Store
from tests.store.builders import Row, batch, linked, piece, put, stored, withdrawn


@pytest.fixture
def store(tmp_path: Path) -> Store:
    rows = [Row(f"e{n}", n, subject=1 + n % 3, record=f"r{n % 4}") for n in range(20)]
    changes = {"retractions": (withdrawn("r1", 9), withdrawn("r2", 15)), "links": (linked(1, 2, 7), linked(2, 3, 12))}
    return stored(tmp_path / "store", batch(*rows, signals=(piece("s", [1.0]),), **changes))


def seen(store: Store, instant: int) -> list[tuple[str, int]]:
    table = store.arrivals(BEGINNING, instant).events
    return list(zip(table["event_id"].to_pylist(), table["subject_id"].to_pylist(), strict=True))


def test_a_store_made_again_in_any_order_answers_the_same(store: Store, tmp_path: Path) -> None:
    rows = raw(store)
    other = Store.open(tmp_path / "other", create=True)
    for one in shuffled(rows, BEGINNING, END, np.random.default_rng(3)):
        put(other, one)
    assert (len(seen(store, 5)), len({who for _, who in seen(store, 19)})) == (6, 1)
    for instant in range(20):
        assert seen(other, instant) == seen(store, instant)


def test_changes_after_a_cut_are_removed_and_those_before_are_kept(store: Store, tmp_path: Path) -> None:
    cut = scrambled(raw(store), 9, np.random.default_rng(1), remove=True)
    assert (cut.tables["retractions"].num_rows, cut.tables["links"].num_rows) == (1, 1)
    other = Store.open(tmp_path / "other", create=True)
    put(other, as_batch(cut, between(cut, BEGINNING, END)))
    assert seen(other, 9) == seen(store, 9)
