"""The few shapes that tables come in: a measurement a line, a wide line, a named fact, and their clocks.

Each function makes a shape from column names; a shape turns lines into candidates by the table's code map.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl

from clinical_jepa.records.instant import DAY, MINUTE, to_us
from clinical_jepa.sources.columnar.block import LINE
from clinical_jepa.sources.columnar.candidates import UNMAPPED, Clock, Run, Shape, candidates, nothing
from clinical_jepa.sources.relative import ORIGIN

_STAMP = "%Y-%m-%d %H:%M:%S"
_REMOVED = "___"  # text that de-identification took away


def clock(column: pl.Expr, zone: ZoneInfo, *, late: bool = False) -> pl.Expr:
    """Text like ``2150-10-24 01:00:00`` (or a bare date, its midnight) on a site's clock, as µs UTC; else null.

    Shifted dates lie in 2100 to 2200, where polars' own zones know no summer time any more and Python's do: as the other
    sources use Python's, so does this one.
    """
    text = pl.when(column.str.len_chars() == 10).then(column + " 00:00:00").otherwise(column)
    moment = text.str.to_datetime(_STAMP, strict=False, time_unit="us")
    if zone.key == "UTC":
        return moment.dt.timestamp("us")
    folds = (0, 1) if late else (0,)
    return moment.map_elements(
        lambda at: max(to_us(at.replace(tzinfo=zone, fold=fold)) for fold in folds), return_dtype=pl.Int64
    )


def at(column: str) -> Clock:
    """The time of a column of clock times."""
    return lambda run: clock(pl.col(column), run.context.zone)


def stored_at(column: str) -> Clock:
    """When the column says that a row was stored; of a local time that a clock change shows twice the later: never too early."""
    return lambda run: clock(pl.col(column), run.context.zone, late=True)


def end_of_day(column: str) -> Clock:
    """When a fact of which only the day is told must be known at the latest: the end of that day."""
    return lambda run: clock(pl.col(column).str.slice(0, 10), run.context.zone) + DAY


def first_of(*clocks: Clock) -> Clock:
    """The first of several times that there is."""
    return lambda run: pl.coalesce(one(run) for one in clocks)


def offset(column: str) -> Clock:
    """Minutes since the origin of a stay's relative clock."""
    return lambda _: (number(pl.col(column)) * MINUTE).round().cast(pl.Int64, strict=False) + ORIGIN


def number(column: pl.Expr) -> pl.Expr:
    """The finite number that a cell holds; null where it holds none."""
    value = column.str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def stated(column: str | None) -> pl.Expr:
    """The unit of a row: as documented where it states none or spells that; else what it states, to be checked."""
    if column is None:
        return pl.col("unit")
    said = pl.col(column).str.strip_chars()
    as_known = said.is_null() | pl.col("spelled").list.contains(said.str.to_lowercase())
    return pl.when(as_known).then("unit").otherwise(said)


def mapped(frame: pl.DataFrame, run: Run, item: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines of mapped items joined with their line of the map, and the others as ignored candidates.

    Columns of the frame that are named like one of the map are dropped: give what is needed of them another name before.
    """
    known = run.items.filter(~pl.col("item").str.starts_with("*")).rename({"item": "·item"})
    named_alike = [name for name in known.columns if name in frame.columns]
    frame = frame.with_columns(pl.col(item).alias("·item")).drop(name for name in named_alike if name != "·item")
    joined = frame.join(known, on="·item", how="left", maintain_order="left")
    outside = joined.filter(pl.col("code").is_null())
    return joined.filter(pl.col("code").is_not_null()), candidates(outside, text=pl.col("·item"), why=UNMAPPED)


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The columns of a measurement. ``wrong`` marks an error with 1; with ``words`` a line of a mapped item that has no
    number is kept as that column's text ("LESS THAN 0.4" is a result, not a number)."""

    item: str
    value: str
    unit: str | None = None
    wrong: str | None = None
    words: str | None = None

    def alone(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with these columns under names of their own; null those that the table does not have."""
        given = {
            "·name": self.item,
            "·value": self.value,
            "·unit": self.unit,
            "·wrong": self.wrong,
            "·words": self.words,
        }
        chosen = [
            (pl.col(column) if column in frame.columns else pl.lit(None, pl.String)).alias(name)
            for name, column in given.items()
        ]
        return frame.with_columns(chosen)


def measure(cells: Cells, *, time: Clock, stored: Clock | None = None, kind: str = "chart") -> Shape:
    """One number, at one time, of one item; ``kind`` where the map names none."""

    def shape(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
        rows, outside = mapped(cells.alone(frame), run, "·name")
        read, given = number(pl.col("·value")), pl.col("·value").is_not_null()
        error = (pl.col("·wrong") == "1").fill_null(False)
        text = pl.when(~given & (pl.col("·words") != _REMOVED)).then("·words")
        why = pl.when(~error & ~given & text.is_null()).then(pl.lit("mapped item without a number"))
        unknown = pl.col("absent").list.contains(read).fill_null(False)
        name = run.table
        rows = candidates(
            rows,
            code=pl.col("code"),
            time=time(run),
            reported=None if stored is None else stored(run),
            delay=run.delays(kind),
            value=read,
            unit=pl.when(read.is_not_null()).then(stated("·unit")),
            text=text,
            low=pl.col("low"),
            high=pl.col("high"),
            why=pl.when(unknown).then(pl.lit("unknown, written as a number")).otherwise(why),
            reason=pl.when(error | (given & read.is_null())).then(pl.lit("invalid")),
            message=pl.when(error)
            .then(pl.lit(f"{name}: the table itself marks this row as an error"))
            .when(given & read.is_null())
            .then(pl.lit(f"{name}: the number's column holds no number")),
        )
        return pl.concat([rows, outside])

    return shape


def wide(*, time: Clock, stored: Clock | None = None, kind: str = "chart", nothing_is: str | None = None) -> Shape:
    """One line, one time, many columns: every mapped column with a number is a fact. ``nothing_is``: how "no value" is
    written, besides a blank cell."""

    def shape(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
        parts = [_wide_part(frame, run, row) for row in run.items.rows(named=True)]
        return pl.concat([nothing(), *parts])

    def _wide_part(frame: pl.DataFrame, run: Run, row: dict[str, object]) -> pl.DataFrame:
        name = str(row["item"]).lower()
        if name not in frame.columns:
            return nothing()
        cell = pl.col(name).str.strip_chars()
        here = frame.filter(cell.is_not_null() & (cell != nothing_is if nothing_is else True))
        read = number(pl.col(name))
        absent = pl.lit(row["absent"], pl.List(pl.Float64)).list.contains(read)
        return candidates(
            here,
            part=f"#{name}",
            code=str(row["code"]),
            time=time(run),
            reported=None if stored is None else stored(run),
            delay=run.delay(str(row["kind"] or kind)),
            value=read,
            unit=row["unit"],  # type: ignore[arg-type]
            low=pl.lit(row["low"], pl.Float64),
            high=pl.lit(row["high"], pl.Float64),
            why=pl.when(absent.fill_null(False)).then(pl.lit("unknown, written as a number")),
            reason=pl.when(read.is_null()).then(pl.lit("invalid")),
            message=pl.when(read.is_null()).then(pl.lit(f"{run.table}: the cell of {name} holds no number")),
        )

    return shape


def named(
    *,
    time: Clock,
    stored: Clock | None = None,
    latest: Clock | None = None,
    text: Clock | None = None,
    kind: str | None = "stay",
    part: str = "",
    needed: bool = True,
) -> Shape:
    """A fact that is its own name, by the map's line ``*`` (and ``part``): a service, a procedure, a prescription.

    A line whose code needs a column that is blank is ignored. ``needed`` false: a line without the time is no fact and no
    fault (a stay that has not ended). ``latest``: when it must have been known, in place of its kind's delay. ``text``
    stands in for the map's pattern.
    """

    def shape(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
        line = run.items.row(by_predicate=pl.col("item") == f"*{part}", named=True)
        moment = time(run)
        wanted = [name for name, default in _braces(line["code"]) if not default]
        blank = pl.any_horizontal(pl.lit(False), *(pl.col(name).is_null() for name in wanted))
        why: pl.Expr = pl.when(blank).then(pl.lit(f"without {', '.join(wanted)}"))
        if not needed:
            why = pl.when(moment.is_null()).then(pl.lit("without an end")).otherwise(why)
        words = _filled(line["column"]) if line["column"] else None
        return candidates(
            frame,
            part=part,
            code=pl.when(~blank).then(_filled(line["code"])),
            time=moment,
            reported=None if stored is None else stored(run),
            delay=run.delay(line["kind"] or kind) if latest is None else (latest(run) - moment).clip(0),
            text=words if text is None else text(run),
            why=why,
        )

    return shape


def _braces(pattern: str) -> list[tuple[str, str]]:
    """The columns that a pattern names, each with its default: ``{name}`` has none, ``{name|UNKNOWN}`` has one."""
    return re.findall(r"{(\w+)(?:\|(\w+))?}", pattern)


def _filled(pattern: str) -> pl.Expr:
    """``{a} / {b}`` filled in from the columns a and b; what is blank leaves its place empty; null where all is."""
    cells = [pl.col(name).str.strip_chars().fill_null(default) for name, default in _braces(pattern)]
    text = pl.format(re.sub(r"{[^}]+}", "{}", pattern), *cells)
    text = text.str.replace_all(r"\s+", " ").str.strip_chars(" /,")
    return pl.when(text.str.len_chars() > 0).then(text)


def lines_of(frame: pl.DataFrame, condition: pl.Expr, why: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines that a condition lets pass, and the others as ignored candidates."""
    passing = condition.fill_null(False)
    return frame.filter(passing), candidates(frame.filter(~passing).select(LINE), why=why)
