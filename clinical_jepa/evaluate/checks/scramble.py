"""A store's rows with everything that was not yet known at an instant scrambled, or removed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from clinical_jepa.evaluate.checks.raw import CHANGES, Raw, available
from clinical_jepa.store.segments import TIMED

_KEPT = ("available_time", "event_id", "commit")  # of the place, whatever row comes to lie there
_REMOVED, _MOVED = 0.2, 0.3


def scrambled(rows: Raw, after: int, chance: np.random.Generator, *, remove: bool = False) -> Raw:
    """The rows available by ``after`` as they are; the later ones removed, or some removed and the others mixed.

    Mixed: every column by itself, so that values belong to other subjects, codes and times; some rows now speak of times
    long known, and some claim to be newer versions of facts long known.
    """
    tables = dict(rows.tables)
    for kind in TIMED:
        table = tables[kind]
        late = available(table) > after
        past, future = table.filter(pa.array(~late)), table.filter(pa.array(late))
        if remove:
            future = future.slice(0, 0)
        elif future.num_rows:
            future = future.take(np.flatnonzero(chance.random(future.num_rows) >= _REMOVED))
            future = _mixed(future, past, chance) if kind == "events" else _swapped(future, chance)
        tables[kind] = pa.concat_tables([past, future])
    for kind in CHANGES:
        late = available(tables[kind]) > after
        gone = late & (remove | (chance.random(late.size) < _REMOVED))
        tables[kind] = tables[kind].filter(pa.array(~gone))
    return Raw(root=rows.root, tables=tables, load=rows.load)


def _mixed(future: pa.Table, past: pa.Table, chance: np.random.Generator) -> pa.Table:
    for name in set(future.column_names) - set(_KEPT):
        column = future[name].take(pa.array(chance.permutation(future.num_rows)))
        if name in ("fact_id", "time") and past.num_rows:
            column = _from_past(column, past[name], chance)
        future = future.set_column(future.schema.get_field_index(name), future.schema.field(name), column)
    return future


def _from_past(column: pa.ChunkedArray, past: pa.ChunkedArray, chance: np.random.Generator) -> pa.ChunkedArray:
    places = np.arange(len(column))
    moved = chance.random(len(column)) < _MOVED
    places[moved] = len(column) + chance.integers(0, len(past), int(moved.sum()))
    return pa.chunked_array([*column.chunks, *past.chunks]).take(pa.array(places))


def _swapped(future: pa.Table, chance: np.random.Generator) -> pa.Table:
    """Signals and images: whole rows change places, so that what they point to stays readable."""
    other = future.take(pa.array(chance.permutation(future.num_rows)))
    for name in _KEPT:
        other = other.set_column(other.schema.get_field_index(name), other.schema.field(name), future[name])
    return other
