"""Of whom a segment holds rows, how many, and when they arrived: what to read for a question, without reading the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from clinical_jepa.store.manifest import Segment
from clinical_jepa.store.segments import read_segments


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Rows as they were stored, seen or not, before any move; the int64 arrays are parallel."""

    subjects: np.ndarray  # ascending
    rows: np.ndarray
    first: np.ndarray  # µs: the first arrival
    last: np.ndarray

    def within(self, since: int, until: int) -> np.ndarray:
        """The subjects of whom something may have arrived in ``(since, until]``."""
        return self.subjects[(self.last > since) & (self.first <= until)]


def reach(root: Path, segments: Sequence[Segment], until: int) -> Reach:
    """That of some segments together, of commits up to ``until``; what was once found of a segment is remembered."""
    return _together([_of(root, one, until if one.last_commit > until else None) for one in segments])


def measured(root: Path, segments: Sequence[Segment]) -> Reach:
    """The same, nothing of which is kept: of segments that are about to go."""
    return _together([_measure(root, segment, None) for segment in segments])


@lru_cache(maxsize=4096)
def _of(root: Path, segment: Segment, until: int | None) -> Reach:
    return _measure(root, segment, until)


def _measure(root: Path, segment: Segment, until: int | None) -> Reach:
    table = read_segments(root, segment.kind, [segment], until=until, columns=["subject_id", "available_time"])
    at = np.asarray(table["available_time"].cast(pa.int64()).to_numpy())
    one = np.ones(table.num_rows, np.int64)
    return _grouped(Reach(subjects=table["subject_id"].to_numpy(), rows=one, first=at, last=at))


def _together(reaches: Sequence[Reach]) -> Reach:
    none = np.zeros(0, np.int64)
    names = ("subjects", "rows", "first", "last")
    return _grouped(Reach(**{name: np.concatenate([none, *(getattr(one, name) for one in reaches)]) for name in names}))


def _grouped(rows: Reach) -> Reach:
    frame = (
        pl.DataFrame({"subjects": rows.subjects, "rows": rows.rows, "first": rows.first, "last": rows.last})
        .group_by("subjects")
        .agg(pl.col("rows").sum(), pl.col("first").min(), pl.col("last").max())
        .sort("subjects")
    )
    return Reach(**{name: frame[name].to_numpy() for name in frame.columns})
