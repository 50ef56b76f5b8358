"""Counts over what a store holds: subjects, feeds, bases of availability."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.events import INSTANT
from clinical_jepa.store.crosswalk import Crosswalk
from clinical_jepa.store.manifest import Manifest, Segment
from clinical_jepa.store.reader import Reader
from clinical_jepa.store.segments import TIMED, read_segments

_SUBJECTS = pa.schema(
    [
        ("subject_id", pa.int64()),
        ("identifier", pa.string()),
        ("namespace", pa.string()),
        ("events", pa.int64()),
        ("signals", pa.int64()),
        ("images", pa.int64()),
        ("first", INSTANT),
        ("last", INSTANT),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One source: when its newest row became available, and how many rows came."""

    source: str
    newest_available: int
    rows: int


def subjects(readers: Iterable[Reader], people: Crosswalk, as_of: int) -> pa.Table:
    """A row per subject seen as of then, by subject id."""
    rows = [row for one in readers for row in _rows(one, people, as_of)]
    rows.sort(key=lambda row: row[0])
    return pa.Table.from_pylist([dict(zip(_SUBJECTS.names, row, strict=True)) for row in rows], _SUBJECTS)


def _rows(reader: Reader, people: Crosswalk, as_of: int) -> Iterator[tuple[Any, ...]]:
    counted = {kind: view.extents(as_of) for kind, view in reader.views.items()}
    for subject, (first, last) in reader.extents(as_of).items():
        who = people.identity(subject)
        name = (who.identifier, who.namespace) if who else (None, None)
        yield (
            subject,
            *name,
            *(counted[kind][subject][2] if subject in counted[kind] else 0 for kind in TIMED),
            first,
            last,
        )


def feeds(root: Path, manifest: Manifest, as_of: int) -> list[Feed]:
    """Every source with a row available by then, by name; versions that were replaced count too."""
    found = _counted(root, manifest, "source", as_of)
    return [
        Feed(source=row["source"], newest_available=row["newest"], rows=row["rows"])
        for row in found.sort("source").to_dicts()
    ]


def bases(root: Path, manifest: Manifest, as_of: int) -> dict[str, int]:
    """How many rows available by then rest on each basis of availability; versions that were replaced count too."""
    return {
        row["available_basis"]: row["rows"] for row in _counted(root, manifest, "available_basis", as_of).to_dicts()
    }


def _counted(root: Path, manifest: Manifest, column: str, as_of: int) -> pl.DataFrame:
    """Rows as they were stored: how many by ``column``, and when the newest became available."""
    none = pl.DataFrame(schema={column: pl.String, "rows": pl.Int64, "newest": pl.Int64})
    counted = [
        _of_segment(
            root,
            one,
            column,
            None if (one.max_available or 0) <= as_of else as_of,
            None if one.last_commit <= manifest.commit else manifest.commit,
        )
        for kind in TIMED
        for one in manifest.of(kind)
        if (one.min_available or 0) <= as_of
    ]
    return pl.concat([none, *counted]).group_by(column).agg(pl.col("rows").sum(), pl.col("newest").max())


@lru_cache(maxsize=8192)
def _of_segment(root: Path, segment: Segment, column: str, as_of: int | None, until: int | None) -> pl.DataFrame:
    """The same of one segment: of its rows available by ``as_of``, of commits up to ``until``; None for all of them."""
    where = None if as_of is None else pc.field("available_time") <= pa.scalar(as_of, INSTANT)
    table = read_segments(root, segment.kind, [segment], until=until, columns=[column, "available_time"], where=where)
    rows = pl.DataFrame(
        {column: pl.from_arrow(table[column]), "at": table["available_time"].cast(pa.int64()).to_numpy()}
    )
    return rows.group_by(column).agg(pl.len().cast(pl.Int64).alias("rows"), pl.col("at").max().alias("newest"))
