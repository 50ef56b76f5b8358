"""Everything a store answers, as bytes, so that two stores can be held against one another."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.store.events import Store


def answers(path: Path) -> dict[str, bytes]:
    """Everything the store answers, as bytes: rows in order of arrival, samples, identities, refusals."""
    store = Store.open(path)
    seen = store.arrivals(BEGINNING, END)
    tables = {name: getattr(seen, name).combine_chunks() for name in ("events", "signals", "images")}
    arrays = [
        store.samples(row).tobytes()
        for table, columns in (("signals", ["reference"]), ("images", ["reference", "prepared"]))
        for column in columns
        for row in tables[table][column].to_pylist()
    ]
    places = ("reference", "prepared")  # where in which file samples lie depends on the order of commits
    found = {name: table.drop_columns([c for c in places if c in table.column_names]) for name, table in tables.items()}
    refused = store.rejections().drop_columns(["received_time"]).sort_by("rejection_id")
    return {
        **{name: serialised(table) for name, table in found.items()},
        "arrays": b"".join(arrays),
        "refused": serialised(refused),
        "people": repr(sorted(map(repr, store.identities()))).encode(),
    }


def serialised(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue())
