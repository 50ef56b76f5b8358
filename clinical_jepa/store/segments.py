"""Parquet segments of every kind of row, each row with the number of the commit that brought it.

The commit number is kept by compaction, so that a reader can tell for ever which rows came late, and so that a running
reader takes from any later set of segments just the rows it has not seen. Rows about subjects lie by subject, in small row
groups, so that those of a few subjects are read without the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clinical_jepa.records.errors import BrokenStore
from clinical_jepa.records.events import CROSSWALK, EVENTS, IMAGES, LINKS, REJECTIONS, RETRACTIONS, SIGNALS
from clinical_jepa.store.changes import COMMIT
from clinical_jepa.store.files import digest, unreadable, verify, write_whole
from clinical_jepa.store.manifest import Manifest, Segment

SHARED = pa.schema(  # one fact is said of both subjects, in versions of it: they are read together
    [pa.field("lower", pa.int64(), nullable=False), pa.field("higher", pa.int64(), nullable=False)]
)
UNITS = pa.schema([pa.field("unit", pa.string(), nullable=False)])  # content hashes of what was ingested
DIGESTS = pa.schema(  # of the bytes of "arrays/00000005.npy": they are as many as commits that brought samples
    [pa.field("name", pa.string(), nullable=False), pa.field("digest", pa.string(), nullable=False)]
)
SCHEMAS = {
    "events": EVENTS,
    "signals": SIGNALS,
    "images": IMAGES,
    "retractions": RETRACTIONS,
    "links": LINKS,
    "shared": SHARED,
    "quarantine": REJECTIONS,
    "crosswalk": CROSSWALK,
    "units": UNITS,
    "digests": DIGESTS,
}
TIMED = ("events", "signals", "images")  # rows about subjects: versions of facts, of records that may be withdrawn
GROUP_ROWS = 16_384  # of a row group: what a reader of one subject reads at least


def with_commit(table: pa.Table, commit: int) -> pa.Table:
    """The rows with the number of their commit."""
    return table.append_column(COMMIT, pa.repeat(pa.scalar(commit, pa.int64()), table.num_rows))


def write_segment(root: Path, kind: str, stem: str, table: pa.Table) -> Segment:
    """What the manifest will say of ``table`` (with its commit column), now on disk but not yet part of the store."""
    name = f"{kind}/{stem}.parquet"
    if kind in TIMED:
        table = by_subject(table)
    write_whole(
        root / name,
        lambda file: pq.write_table(
            table,
            file,
            compression="zstd",
            compression_level=1,
            row_group_size=GROUP_ROWS,
            write_page_checksum=True,
        ),
    )
    commits = pc.min_max(table["commit"]).as_py()
    available, subjects = _reach(table, "available_time"), _reach(table, "subject_id")
    return Segment(
        kind=kind,
        name=name,
        rows=table.num_rows,
        first_commit=commits["min"],
        last_commit=commits["max"],
        min_available=available["min"],
        max_available=available["max"],
        first_subject=subjects["min"],
        last_subject=subjects["max"],
        digest=digest(root / name),
    )


def by_subject(table: pa.Table) -> pa.Table:
    """The rows by subject, each one's by arrival."""
    subject, available = (table[name].cast(pa.int64()).to_numpy() for name in ("subject_id", "available_time"))
    same = subject[1:] == subject[:-1]
    if ((subject[1:] > subject[:-1]) | same & (available[1:] >= available[:-1])).all():
        return table
    return taken(table, np.lexsort((available, subject)))


def taken(table: pa.Table, order: np.ndarray) -> pa.Table:
    """The rows in this order, column by column: a copy of all in one piece besides would double the memory."""
    places = pa.array(order)
    return pa.table([column.combine_chunks().take(places) for column in table.columns], schema=table.schema)


def _reach(table: pa.Table, column: str) -> dict[str, int | None]:
    if column not in table.column_names:
        return {"min": None, "max": None}
    return dict(pc.min_max(table[column].cast(pa.int64())).as_py())


def read_segments(
    root: Path,
    kind: str,
    segments: Sequence[Segment],
    *,
    after: int = 0,
    until: int | None = None,
    columns: Sequence[str] | None = None,
    where: pc.Expression | None = None,
) -> pa.Table:
    """The rows of commits in ``(after, until]`` (None: of all later ones) for which ``where`` holds, in no promised order.

    ``FileNotFoundError`` if a segment was merged away meanwhile, ``PermissionError`` where this user may not read one;
    ``BrokenStore`` where one is not what was written.
    """
    schema = pa.schema([*SCHEMAS[kind], COMMIT])
    wanted = pa.schema([schema.field(name) for name in columns]) if columns else schema
    tables = [_read(root, segment, wanted, _wanted(segment, after, until, where)) for segment in segments]
    return pa.concat_tables([wanted.empty_table(), *tables])


def read_kind(
    root: Path,
    manifest: Manifest,
    kind: str,
    *,
    after: int = 0,
    columns: Sequence[str] | None = None,
    subjects: np.ndarray | None = None,
) -> pa.Table:
    """The rows of a kind of commits later than ``after``, up to the manifest's; of these ``subjects`` (ascending), or all."""
    chosen, where = manifest.of(kind, after=after), None
    if subjects is not None:
        chosen, where = of_subjects(chosen, subjects), pc.field("subject_id").isin(pa.array(subjects))
    return read_segments(root, kind, chosen, after=after, until=manifest.commit, columns=columns, where=where)


def of_subjects(segments: Sequence[Segment], subjects: np.ndarray) -> list[Segment]:
    """Those of the segments that may hold rows of one of these subjects (ascending)."""
    spans = np.array([(one.first_subject, one.last_subject) for one in segments], np.int64).reshape(-1, 2)
    first = np.searchsorted(subjects, spans[:, 0], "left")
    last = np.searchsorted(subjects, spans[:, 1], "right")
    return [one for one, there in zip(segments, (last > first).tolist(), strict=True) if there]


def _wanted(segment: Segment, after: int, until: int | None, where: pc.Expression | None) -> pc.Expression | None:
    """What a row of the segment has to be; None where every row is wanted."""
    conditions = [] if where is None else [where]
    if segment.first_commit <= after:
        conditions.append(pc.field("commit") > after)
    if until is not None and segment.last_commit > until:
        conditions.append(pc.field("commit") <= until)
    return reduce(and_, conditions) if conditions else None


def _read(root: Path, segment: Segment, schema: pa.Schema, where: pc.Expression | None) -> pa.Table:
    path = root / segment.name
    try:
        verify(path, segment.digest)
        found = _rows(path, schema.names, where)
        table = complete(found, schema)
    except FileNotFoundError:
        raise
    except PermissionError as error:  # of Arrow it names no file
        raise unreadable(path) from error
    except (OSError, pa.ArrowException) as error:
        raise BrokenStore(f"{path} is damaged ({error}); nothing was changed; restore it") from error
    if where is None and table.num_rows != segment.rows:
        raise BrokenStore(f"{path} holds {table.num_rows} rows, its manifest says {segment.rows}")
    return table


def _rows(path: Path, names: Sequence[str], where: pc.Expression | None) -> pa.Table:
    """The columns that the file has, of rows for which ``where`` holds; row groups that cannot hold any are not read."""
    file = pq.ParquetFile(path, page_checksum_verification=True)
    held = file.schema_arrow.names
    names = [name for name in names if name in held]
    if where is None:
        return file.read(names)
    if file.num_row_groups == 1:  # nothing to leave out, and an open file
        return file.read().filter(where).select(names)
    return pq.read_table(path, columns=names, filters=where, page_checksum_verification=True, partitioning=None)


def complete(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of ``schema``; null where the table was written before a column was known."""
    for field in schema:
        if field.nullable and field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(schema.names).cast(schema)
