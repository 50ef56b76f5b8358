"""Infusions of both charting systems: rates of vasopressors, amounts of crystalloids."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from clinical_jepa.sources.columnar.candidates import Run, Shape, candidates
from clinical_jepa.sources.tables.shapes import at, lines_of, mapped, number, stated, stored_at

_ENDED = ("FinishedRunning", "Stopped", "Paused")  # "Changed", "ChangeDose/Rate" go on with another rate
_STOPPED = ("Stopped", "D/C'd")
_COMMON = ("subject_id", "hadm_id", "itemid", "amount", "amountuom", "rate", "rateuom", "storetime")
NEEDED_MV = (*_COMMON, "starttime", "endtime", "statusdescription")
NEEDED_CV = (*_COMMON, "charttime", "stopped")
_GOES_ON = ["subject_id", "code", "starttime"]


def starts(frames: Iterator[pl.DataFrame], items: pl.DataFrame) -> pl.DataFrame:
    """Where a rate begins, of the whole table: a rate that another follows at once does not end at 0."""
    known = items.select(pl.col("item").alias("itemid"), "code")
    found = [
        frame.filter(_valid() & number(pl.col("rate")).is_not_null()).join(known, on="itemid").select(_GOES_ON).unique()
        for frame in frames
    ]
    empty = pl.DataFrame(schema=dict.fromkeys(_GOES_ON, pl.String))
    return pl.concat([empty, *found]).unique()


def _valid() -> pl.Expr:
    return pl.col("statusdescription").ne_missing("Rewritten")


def intervals(part: str = "") -> Shape:
    """MetaVision. A rate counts from its start; an amount is the total up to its end."""

    def shape(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
        valid, rewritten = lines_of(frame, _valid(), "rewritten, superseded by another row")
        rows, outside = mapped(valid, run, "itemid")
        if part:
            return _ends(rows, run, part)
        of_amount = pl.col("column") == "amount"
        time = pl.when(of_amount).then(at("endtime")(run)).otherwise(at("starttime")(run))
        return pl.concat([_numbers(rows, run, time), outside, rewritten])

    return shape


def _ends(rows: pl.DataFrame, run: Run, part: str) -> pl.DataFrame:
    """0 from an end that no further rate follows."""
    assert run.looked is not None
    following = run.looked.rename({"starttime": "endtime"})
    rate = number(pl.col("rate"))
    ended = (pl.col("column") == "rate") & (rate > 0) & pl.col("statusdescription").is_in(_ENDED)
    rows = rows.filter(ended.fill_null(False)).join(
        following, on=["subject_id", "code", "endtime"], how="anti", nulls_equal=True, maintain_order="left"
    )
    return candidates(
        rows,
        part=part,
        code=pl.col("code"),
        time=at("endtime")(run),
        reported=stored_at("storetime")(run),
        value=pl.lit(0.0),
        unit=stated("rateuom"),
    )


def points(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """CareVue: points in time. A row that says stopped is a rate of 0; an amount is the total up to its time."""
    rows, outside = mapped(frame, run, "itemid")
    stopped = (pl.col("column") == "rate") & pl.col("stopped").is_in(_STOPPED)
    rows = rows.with_columns(pl.when(stopped.fill_null(False)).then(pl.lit("0")).otherwise("rate").alias("rate"))
    return pl.concat([_numbers(rows, run, at("charttime")(run)), outside])


def _numbers(rows: pl.DataFrame, run: Run, time: pl.Expr) -> pl.DataFrame:
    of_amount = pl.col("column") == "amount"
    cell = pl.when(of_amount).then("amount").otherwise("rate")
    read = number(cell)
    return candidates(
        rows,
        code=pl.col("code"),
        time=time,
        reported=stored_at("storetime")(run),
        delay=run.delay("treatment"),
        value=read,
        unit=pl.when(of_amount).then(stated("amountuom")).otherwise(stated("rateuom")),
        why=pl.when(cell.is_null()).then(pl.concat_str(pl.lit("mapped item without "), "column")),
        reason=pl.when(cell.is_not_null() & read.is_null()).then(pl.lit("invalid")),
        message=pl.when(cell.is_not_null() & read.is_null()).then(
            pl.lit(f"{run.table}: the number's column holds no number")
        ),
    )
