"""Parquet segments of every kind of row, each row with the number of the commit that brought it.

The commit number is kept by compaction, so that a reader can tell for ever which rows came late, and so that a running
reader takes from any later set of segments just the rows it has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clinical_jepa.records.errors import BrokenStore
from clinical_jepa.records.events import CROSSWALK, EVENTS, IMAGES, LINKS, REJECTIONS, RETRACTIONS, SIGNALS
from clinical_jepa.store.changes import COMMIT
from clinical_jepa.store.files import digest, verify, write_whole
from clinical_jepa.store.manifest import Segment

SCHEMAS = {
    "events": EVENTS,
    "signals": SIGNALS,
    "images": IMAGES,
    "retractions": RETRACTIONS,
    "links": LINKS,
    "quarantine": REJECTIONS,
    "crosswalk": CROSSWALK,
}
IDS = {
    "events": "event_id",
    "signals": "event_id",
    "images": "event_id",
    "retractions": "change_id",
    "links": "change_id",
    "quarantine": "rejection_id",
}
SEGMENT_ROWS = 500_000  # of a compacted segment: some tens of MB


def with_commit(table: pa.Table, commit: int) -> pa.Table:
    """The rows with the number of their commit."""
    return table.append_column(
        COMMIT, pa.array([commit], pa.int64()).take(pa.nulls(table.num_rows, pa.int8()).fill_null(0))
    )


def write_segment(root: Path, kind: str, stem: str, table: pa.Table) -> Segment:
    """What the manifest will say of ``table`` (with its commit column), now on disk but not yet part of the store."""
    name = f"{kind}/{stem}.parquet"
    write_whole(
        root / name,
        lambda file: pq.write_table(table, file, compression="zstd", compression_level=1, write_page_checksum=True),
    )
    commits = pc.min_max(table["commit"]).as_py()
    available = {"min": None, "max": None}
    if "available_time" in table.column_names:
        available = pc.min_max(table["available_time"].cast(pa.int64())).as_py()
    return Segment(
        kind=kind,
        name=name,
        rows=table.num_rows,
        first_commit=commits["min"],
        last_commit=commits["max"],
        min_available=available["min"],
        max_available=available["max"],
        digest=digest(root / name),
    )


def read_segments(
    root: Path, kind: str, segments: Sequence[Segment], *, after: int = 0, columns: list[str] | None = None
) -> pa.Table:
    """The rows of commits later than ``after``, in no promised order; ``FileNotFoundError`` if compacted away meanwhile."""
    schema = pa.schema([*SCHEMAS[kind], COMMIT])
    wanted = pa.schema([schema.field(name) for name in columns]) if columns else schema
    tables = [_read(root, segment, wanted, after) for segment in segments]
    return pa.concat_tables([wanted.empty_table(), *tables])


def _read(root: Path, segment: Segment, schema: pa.Schema, after: int) -> pa.Table:
    try:
        verify(root / segment.name, segment.digest)
        table = complete(
            pq.ParquetFile(root / segment.name, page_checksum_verification=True).read(schema.names), schema
        )
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise BrokenStore(f"{root / segment.name} is damaged ({error}); nothing was changed; restore it") from error
    if segment.first_commit <= after:
        table = table.filter(pc.greater(table["commit"], after))
    elif table.num_rows != segment.rows:
        raise BrokenStore(f"{root / segment.name} holds {table.num_rows} rows, its manifest says {segment.rows}")
    return table


def complete(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of ``schema``; null where the table was written before a column was known."""
    for field in schema:
        if field.nullable and field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(schema.names).cast(schema)


def merged(root: Path, kind: str, stem: str, segments: Sequence[Segment]) -> list[Segment]:
    """The same rows in segments by time of at most ``SEGMENT_ROWS``; the old files stay until they are swept."""
    table = read_segments(root, kind, segments)
    if "event_id" in table.column_names:
        order = ["available_time", "time", "event_id"]  # of a view, so that reading it needs no sorting
        table = table.sort_by([(column, "ascending") for column in order])
    return [
        write_segment(root, kind, f"{stem}-{number:04d}", table.slice(first, SEGMENT_ROWS))
        for number, first in enumerate(range(0, table.num_rows, SEGMENT_ROWS))
    ]
