"""Reads the sets of the Challenge of 2012 (zip or folder) and their outcomes. No stay has a date: relative clocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.instant import DAY, HOUR, MINUTE
from clinical_jepa.sources.columnar.candidates import Run, candidates
from clinical_jepa.sources.columnar.settle import Settled
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.relative import ORIGIN, source
from clinical_jepa.sources.tables.data_set import Table, begun, read_table
from clinical_jepa.sources.tables.relative_stays import YEAR, everyone, read_stays
from clinical_jepa.sources.tables.shapes import lines_of, mapped, number
from clinical_jepa.sources.tables.stay_files import STAY, Form, holds

NAMESPACE = "cinc2012"
FORM = Form(name=re.compile(r"(\d{6})\.txt"), columns=("time", "parameter", "value"), separator=",", lines=100_000)
_SET = re.compile(r"set-[abc]\.zip", re.IGNORECASE)
_OUTCOMES = re.compile(r"Outcomes-[abc]\.txt", re.IGNORECASE)
_WINDOW = 48 * HOUR  # of every record: what is said of a stay as a whole is not known before


def series(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """``Time,Parameter,Value``: time since admission up to 48:00; what describes the stay stands at 00:00."""
    frame, own = lines_of(frame, pl.col("parameter").ne_missing("RecordID"), "the number of the stay")
    given, read = pl.col("value"), number(pl.col("value"))
    valued = pl.concat_str("parameter", pl.lit(":"), "value")  # Gender:0 is an item of its own
    item = pl.when(valued.is_in(run.items["item"].implode())).then(valued).otherwise("parameter")
    frame = frame.with_columns(item.alias("·name"), read.alias("·read"), given.is_null().alias("·blank"))
    rows, outside = mapped(frame, run, "·name")
    clock = pl.col("time").str.extract_groups(r"^(\d{2}):([0-5]\d)$").struct
    elapsed = clock.field("1").cast(pl.Int64) * HOUR + clock.field("2").cast(pl.Int64) * MINUTE + ORIGIN
    is_birth, is_name, read = pl.col("column") == "birth", pl.col("column") == "name", pl.col("·read")
    unknown = pl.col("absent").list.contains(read).fill_null(False)
    unclear = is_name & ~unknown & ~pl.col("·item").str.contains(":")
    bad = read.is_null() & ~pl.col("·blank")
    facts = candidates(
        rows,
        code=pl.col("code"),
        time=pl.when(pl.col("code").str.starts_with("GENDER"))
        .then(None)
        .when(is_birth)
        .then(ORIGIN - (read * YEAR).cast(pl.Int64, strict=False))
        .otherwise(elapsed),
        known=pl.when(is_birth | pl.col("code").str.starts_with("GENDER")).then(pl.lit(ORIGIN)),
        delay=run.delays("chart"),
        value=pl.when(~is_birth & ~is_name).then(read),
        unit=pl.when(~is_birth & ~is_name).then("unit"),
        text=pl.when(is_birth & (read >= 90)).then(pl.lit("older than 89")),
        low=pl.col("low"),
        high=pl.col("high"),
        why=pl.when(unclear)
        .then(pl.lit("a category that the documentation does not have"))
        .when(unknown)
        .then(pl.lit("unknown, written as a number"))
        .when(pl.col("·blank"))
        .then(pl.lit("no value")),
        reason=pl.when(bad).then(pl.lit("invalid")),
        message=pl.when(bad).then(pl.lit("the cell of the value holds no number")),
    )
    return pl.concat([facts, outside, own])


def scores(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """SAPS-I and SOFA, in the code map; −1 is unknown."""
    parts = []
    for row in run.items.filter(pl.col("column") == "value").rows(named=True):
        read = number(pl.col(row["item"].lower()))
        parts.append(
            candidates(
                frame,
                part=f"#{row['item']}",
                code=row["code"],
                time=pl.lit(ORIGIN + _WINDOW),
                value=read,
                unit=row["unit"],
                why=pl.when(read < 0).then(pl.lit("unknown, written as a number")),
                reason=pl.when(read.is_null()).then(pl.lit("invalid")),
                message=pl.when(read.is_null()).then(pl.lit(f"the cell of {row['item']} holds no number")),
            )
        )
    return pl.concat(parts)


def endings(frame: pl.DataFrame, _: Run) -> pl.DataFrame:
    """Discharge and death, told in whole days: known a day later, and not before the record ends."""
    stayed, survived = number(pl.col("length_of_stay")), number(pl.col("survival"))
    died = number(pl.col("in-hospital_death")) == 1
    left = candidates(
        frame,
        part="#discharge",
        code=pl.when(died).then(pl.lit("HOSPITAL_DISCHARGE//DEAD")).otherwise(pl.lit("HOSPITAL_DISCHARGE//ALIVE")),
        time=_days(stayed),
        delay=_after(stayed),
        why=pl.when(stayed < 0).then(pl.lit("length of stay unknown")),
    )
    dead = candidates(
        frame,
        part="#death",
        code="MEDS_DEATH",
        time=_days(survived),
        delay=_after(survived),
        text=pl.when(died).then(pl.lit("in hospital")),
        why=pl.when(survived < 0).then(pl.lit("not known to have died")),
    )
    return pl.concat([left, dead])


def _days(number_of: pl.Expr) -> pl.Expr:
    return (number_of * DAY).cast(pl.Int64, strict=False) + ORIGIN


def _after(number_of: pl.Expr) -> pl.Expr:
    return pl.max_horizontal(pl.lit(DAY), _WINDOW + ORIGIN - _days(number_of))


SERIES = Table(
    subject=STAY,
    encounter=STAY,
    key=(STAY, "time", "parameter", "value"),
    shown=(STAY, "time", "parameter"),
    shapes=(series,),
)
OUTCOMES = Table(
    needed=("recordid", "saps-i", "sofa", "length_of_stay", "survival", "in-hospital_death"),
    subject="recordid",
    encounter="recordid",
    key=("recordid",),
    shapes=(endings, scores),
)


def find(root: Path) -> list[Path]:
    """The sets (zips, or folders of stay files) at or below ``root``, each file of outcomes after them."""
    if root.is_file():
        return [root] if _SET.fullmatch(root.name) or _OUTCOMES.fullmatch(root.name) else []  # damaged ones too
    folders = sorted({path.parent for path in root.rglob("*.txt") if FORM.stay(path.name)})
    zips = sorted(path for path in root.rglob("*.zip") if _SET.fullmatch(path.name))
    outcomes = sorted(path for path in root.rglob("*.txt") if _OUTCOMES.fullmatch(path.name))
    return [*zips, *(path for path in folders if holds(path, FORM)), *outcomes]


def parts(path: Path) -> list[Path]:
    """The zip or the outcomes themselves; every stay file of a folder."""
    return sorted(one for one in path.iterdir() if FORM.stay(one.name)) if path.is_dir() else [path]


def read(path: Path, context: ReadContext) -> Iterator[SourceBatch]:
    """The rows of one set, or of its outcomes."""
    return (one.batch for one in account(path, context))


def account(path: Path, context: ReadContext) -> Iterator[Settled]:
    """The same batches, with what became of the lines they come from."""
    outcomes = bool(_OUTCOMES.fullmatch(path.name))
    run = begun(path, "Outcomes" if outcomes else "set", NAMESPACE, context, source(NAMESPACE))
    run = replace(run, people=everyone(run.context))
    return read_table(path, OUTCOMES, run) if outcomes else read_stays(path, FORM, SERIES, run)
