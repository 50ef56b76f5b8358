"""How a view is made: rows in order, moved to whom they belong, hidden when something takes their place.

A row ends at the next version of its fact (``versions``) or when its record is withdrawn, whichever is first. While it is
seen, every move of its subject ends it there and says it again under the new owner, available at the move, as a further
version.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.events import RETRACTED
from clinical_jepa.store.changes import NEVER, NO_CHANGES, Changes, withdrawals
from clinical_jepa.store.moving import Moved, moved, unmoved
from clinical_jepa.store.segments import taken
from clinical_jepa.store.versions import facts, follow, shared
from clinical_jepa.store.visible import ALWAYS_HIDDEN, Ended, View

_CHUNKS = 32  # of a table that grows: then it is copied into one


@dataclass(frozen=True, kw_only=True)
class _Chain:
    """By row: when it ends (NEVER, ALWAYS_HIDDEN), the version before it (-1), and what was ended by a withdrawal."""

    hidden_from: np.ndarray
    previous: np.ndarray
    ended: Ended


def view(table: pa.Table, changes: Changes = NO_CHANGES) -> View:
    """A view of rows with their ``commit``, as the changes leave them."""
    rows = Moved(table=in_order(table))
    chain = _chain(rows.table, changes, again=False)
    if changes.links.num_rows:
        rows = moved(rows.table, chain.hidden_from, changes.owners)
        if rows.origin is not None:
            rows = rows.take(arrival_order(rows.table))
            chain = _chain(rows.table, changes, again=True)
    return _grouped(rows, _available(rows.table), chain, changes)


def extended(known: View, rows: pa.Table, changes: Changes = NO_CHANGES, fresh: Changes = NO_CHANGES) -> View:
    """The view of what ``known`` holds and of further rows, made at the cost of these where all of them are newer.

    ``changes`` are all there are now; ``fresh`` those of them that ``known`` was made without.
    """
    withdrawn = fresh.first_retraction() if "record_id" in rows.column_names else NEVER
    if not rows.num_rows and not fresh.links.num_rows and withdrawn == NEVER:
        return known
    newest = int(known.available[-1]) if known.available.size else ALWAYS_HIDDEN
    new = view(rows, changes)
    late = withdrawn <= newest or (rows.num_rows and new.available[0] <= newest)
    if fresh.links.num_rows or late or shared(known.table, rows):
        return view(pa.concat_tables([unmoved(known.rows_as_kept()), rows]), changes)
    return _joined(known, new, changes)


def _joined(known: View, new: View, changes: Changes) -> View:
    """Of two views, the second of which is newer in every row, and so is every retraction that the first does not know."""
    newest = known.available[-1] if known.available.size else ALWAYS_HIDDEN
    rows = known.rows_as_kept().and_(new.rows_as_kept())
    if rows.table["event_id"].num_chunks > _CHUNKS:
        rows = rows.combined()
    size = known.available.size
    available = np.concatenate([known.available, new.available])
    hidden_from = np.concatenate([known.hidden_from, new.hidden_from])
    previous = np.concatenate([known.previous, np.where(new.previous < 0, -1, new.previous + size)])
    settled, pending = known.ended.parted(newest)
    hidden_from[pending.places] = NEVER
    again = _again(known.table, new.table)
    if again.size:
        retracted = hidden_from == ALWAYS_HIDDEN
        places = np.append(again, np.arange(size, available.size))
        follow(rows.table, available, places, hidden_from, previous)
        hidden_from[retracted] = ALWAYS_HIDDEN
    np.minimum.at(hidden_from, settled.places, settled.instants)  # a later version does not end what has ended
    ended = _ended(known.table, known.available, hidden_from[:size], changes.after(int(newest)))
    ended = settled.and_(ended).and_(new.ended.shifted(size))
    np.minimum.at(hidden_from, ended.places, ended.instants)
    return _grouped(rows, available, _Chain(hidden_from=hidden_from, previous=previous, ended=ended), changes)


def _again(known: pa.Table, new: pa.Table) -> np.ndarray:
    """Places of the known rows of which ``new`` holds a further version."""
    if "fact_id" not in known.column_names or new["fact_id"].null_count == new.num_rows:
        return np.zeros(0, np.int64)
    said = pl.Series(pl.from_arrow(new["fact_id"])).drop_nulls().unique()
    return np.flatnonzero(facts(known).is_in(said.implode()).to_numpy())


def in_order(table: pa.Table) -> pa.Table:
    """The rows by (available, time, event_id)."""
    order = arrival_order(table)
    if np.array_equal(order, np.arange(order.size)):  # one subject's rows come in order
        return table
    return taken(table, order)


def arrival_order(table: pa.Table) -> np.ndarray:
    """Places by (available, time, event_id); a static, which has no time, counts as true when it became available."""
    available = _available(table)
    time = np.asarray(pc.coalesce(table["time"], table["available_time"]).cast(pa.int64()).to_numpy(), np.int64)
    order = np.lexsort((time, available))
    same = (np.diff(available[order]) == 0) & (np.diff(time[order]) == 0)
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same)[: order.size])
    if tied.size:  # few: ids are compared only there
        places = order[tied]
        names = pl.Series(pl.from_arrow(table["event_id"].take(pa.array(places))), dtype=pl.String)
        keys = pl.DataFrame({"available": available[places], "time": time[places], "event_id": names, "place": places})
        order[tied] = keys.sort("available", "time", "event_id")["place"].to_numpy()
    return order


def _available(table: pa.Table) -> np.ndarray:
    return np.asarray(table["available_time"].cast(pa.int64()).to_numpy(), np.int64)


def _chain(table: pa.Table, changes: Changes, *, again: bool) -> _Chain:
    """Of rows in order; ``again``: one row may stand in several places, as versions of itself."""
    available = _available(table)
    hidden_from, previous = np.full(available.size, NEVER), np.full(available.size, -1)
    if again or "fact_id" in table.column_names:
        same = facts(table).hash().is_duplicated()  # a chance agreement costs a look, no more
        follow(table, available, np.flatnonzero(same.to_numpy()), hidden_from, previous)
    if "status" in table.column_names:
        hidden_from[pc.is_in(table["status"], pa.array(RETRACTED)).to_numpy()] = ALWAYS_HIDDEN
    ended = _ended(table, available, hidden_from, changes)
    np.minimum.at(hidden_from, ended.places, ended.instants)
    return _Chain(hidden_from=hidden_from, previous=previous, ended=ended)


def _ended(table: pa.Table, available: np.ndarray, hidden_from: np.ndarray, changes: Changes) -> Ended:
    """The rows that a withdrawal ends before anything else does."""
    places, instants, commits = withdrawals(table, available, changes)
    first = instants < hidden_from[places]
    return Ended.of(places[first], instants[first], commits[first])


def _grouped(rows: Moved, available: np.ndarray, chain: _Chain, changes: Changes) -> View:
    table = rows.table
    subject = table["subject_id"].to_numpy()
    by_subject = np.argsort(subject, kind="stable")
    grouped = subject[by_subject]
    starts = np.flatnonzero(np.append(True, grouped[1:] != grouped[:-1])[: subject.size])
    return View(
        table=table,
        available=available,
        hidden_from=chain.hidden_from,
        previous=chain.previous,
        ended=chain.ended,
        commit=table["commit"].to_numpy(),
        subject=subject,
        origin=rows.origin,
        again=rows.again,
        by_subject=by_subject,
        subjects=grouped[starts],
        starts=np.append(starts, subject.size),
        changes=changes,
    )
