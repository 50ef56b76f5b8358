"""No stored row may claim to have been available before the simulated ward's truth says that it could be known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.evaluate.checks.raw import Raw
from clinical_jepa.records.events import RETRACTED
from clinical_jepa.store.segments import TIMED

_KEY = ["subject_id", "code", "time"]


@dataclass(frozen=True, kw_only=True)
class Knowable:
    """Stored rows against the truth, by source: how many, how many the truth knows, how many came too early."""

    rows: Mapping[str, int]
    known: Mapping[str, int]
    early: Mapping[str, int]

    @property
    def too_early(self) -> int:
        """Over all sources."""
        return sum(self.early.values())

    @property
    def share_known(self) -> float:
        """A check of rows that the truth does not know would be empty."""
        return sum(self.known.values()) / max(1, sum(self.rows.values()))


def knowable(rows: Raw, truth: Path) -> Knowable:
    """Every timed row against ``OUT/truth/facts.parquet``: joined by subject, code and time, then by value and status.

    Of several versions of a fact the one with the row's value and state counts; where none has it, the first.
    """
    facts = _facts(rows, truth)
    stored = pl.concat([_stored(kind, rows.tables[kind]) for kind in TIMED]).with_row_index("row")
    joined = stored.join(facts, on=_KEY, how="left", nulls_equal=True)
    same = (pl.col("value") - pl.col("true_value")).abs() <= 0.01 * pl.max_horizontal(1.0, pl.col("true_value").abs())
    alike = same.fill_null(True) & (pl.col("gone") == pl.col("truly_gone"))
    judged = joined.group_by("row", "source").agg(
        available=pl.col("available").first(),
        first=pl.col("knowable").min(),
        own=pl.col("knowable").filter(alike).min(),
    )
    bound = pl.coalesce("own", "first")
    counted = judged.group_by("source").agg(
        rows=pl.len(), known=pl.col("first").is_not_null().sum(), early=(pl.col("available") < bound).sum()
    )
    by = {name: dict(zip(counted["source"], counted[name], strict=True)) for name in ("rows", "known", "early")}
    return Knowable(rows=by["rows"], known=by["known"], early=by["early"])


def stamped_early(rows: Raw, source: str) -> Raw:
    """The same rows, with one source's reports available at the time they are about: a planted fault."""
    table = rows.tables["events"]
    reported = pc.and_(pc.equal(table["source"], source), pc.equal(table["available_basis"], "issued"))
    at = pc.if_else(pc.fill_null(reported, False), table["time"], table["available_time"])
    place = table.schema.get_field_index("available_time")
    return Raw(
        root=rows.root,
        load=rows.load,
        tables={
            **rows.tables,
            "events": table.set_column(place, table.schema.field(place), pc.coalesce(at, table["available_time"])),
        },
    )


def _facts(rows: Raw, truth: Path) -> pl.DataFrame:
    people = pl.from_arrow(rows.tables["crosswalk"].select(["subject_id", "identifier"]))
    assert isinstance(people, pl.DataFrame)
    facts = pl.read_parquet(truth / "facts.parquet").join(people.unique(), on="identifier", how="inner")
    return facts.select(
        *_KEY,
        knowable=pl.col("knowable_time"),
        true_value=pl.col("value"),
        truly_gone=pl.col("status").is_in(RETRACTED),
    )


def _stored(kind: str, table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    code = {
        "events": pl.col("code"),
        "signals": "SIGNAL//" + pl.col("channel"),
        "images": "IMAGE//" + pl.col("modality"),
    }
    value = pl.col("numeric_value").cast(pl.Float64) if kind == "events" else pl.lit(None, pl.Float64)
    gone = pl.col("status").is_in(RETRACTED).fill_null(False)
    return frame.select(
        "subject_id", "time", "source", code=code[kind], available=pl.col("available_time"), value=value, gone=gone
    ).select("subject_id", "code", "time", "source", "available", "value", "gone")
