"""What MIMIC-III and MIMIC-IV have in common: how a table is read, when admissions end, which specimen a blood gas is of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from clinical_jepa.sources.columnar.candidates import Clock, Run, Shape, candidates
from clinical_jepa.sources.columnar.settle import Settled
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables.data_set import Table, begun, beside, column, declared, read_table, stem
from clinical_jepa.sources.tables.shapes import clock, lines_of
from clinical_jepa.sources.tables.text import Unreadable


@dataclass(frozen=True, kw_only=True)
class Release:
    """A layout and what it calls things. ``titles``: by table, a name for what its codes are called, and the dictionary
    that says it, in the columns ``titled``."""

    namespace: str
    layout: Mapping[str, Table]
    patients: str
    admissions: str
    titles: Mapping[str, tuple[str, str]]
    titled: tuple[str, str]


def parts(path: Path, folder: Path, release: Release) -> list[Path]:
    """The table, and those of ``folder`` that say whose its rows are, when stays ended and what codes are called."""
    names = (release.patients, release.admissions, *release.titles.get(stem(path), ())[1:])
    return sorted({path, *(found for name in names if (found := beside(folder, name)))})


def account(path: Path, folder: Path, release: Release, context: ReadContext) -> Iterator[Settled]:
    """The batches of a table, with what became of the lines they come from."""
    table = stem(path)
    run = begun(path, table, release.namespace, context)
    return read_table(path, release.layout[table], run, lambda run: _told(run, folder, release))


def _told(run: Run, folder: Path, release: Release) -> Run:
    people = column(beside(folder, release.patients), "subject_id")["subject_id"].drop_nulls().to_list()
    known: dict[str, Mapping[str, Any]] = {**admissions(beside(folder, release.admissions), run.context.zone)}
    if run.table in release.titles:
        name, dictionary = release.titles[run.table]
        known[name] = titles(beside(folder, dictionary), *release.titled)
    return replace(run, people=declared(people, run.context), beside=known)


def admissions(path: Path | None, zone: ZoneInfo) -> dict[str, Mapping[str, int | None]]:
    """``admitted``: each subject's first admission; ``discharge``: each admission's end."""
    first, ends = (column(path, key, value) for key, value in (("subject_id", "admittime"), ("hadm_id", "dischtime")))
    first = first.with_columns(clock(pl.col("admittime"), zone)).group_by("subject_id").agg(pl.col("admittime").min())
    ends = ends.with_columns(clock(pl.col("dischtime"), zone))
    return {"admitted": dict(first.rows()), "discharge": dict(ends.rows())}


def titles(path: Path | None, key: str, value: str) -> dict[str, str]:
    """Names for people; the codes stand without them."""
    try:
        return dict(column(path, key, value).rows())
    except Unreadable:
        return {}


def found(name: str, key: str) -> Clock:
    """What another table says about the value of a column: an instant."""
    return lambda run: pl.col(key).replace_strict(run.beside[name], default=None, return_dtype=pl.Int64)


def title(name: str, key: str) -> Clock:
    """What another table calls the value of a column."""
    return lambda run: pl.col(key).replace_strict(run.beside[name], default=None, return_dtype=pl.String)


def specimens(item: str, keys: Sequence[str]) -> Callable[[Iterator[pl.DataFrame], pl.DataFrame], pl.DataFrame]:
    """A look through the laboratory table for what each specimen was; two answers are none."""

    def look(frames: Iterator[pl.DataFrame], _: pl.DataFrame) -> pl.DataFrame:
        schema = dict.fromkeys([*keys, "value"], pl.String)
        said = [frame.filter(pl.col("itemid") == item).select(*keys, "value") for frame in frames]
        rows = pl.concat([pl.DataFrame(schema=schema), *said]).unique()
        return rows.group_by(*keys).agg(pl.col("value").first().alias("·specimen"), pl.len()).filter(pl.col("len") == 1)

    return look


def of_specimen(measure: Shape, keys: Sequence[str]) -> Shape:
    """Laboratory rows of which an item with a ``specimen`` in the map counts only where the specimen is known to be that."""

    def shape(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
        assert run.looked is not None
        wanted = run.items.select(pl.col("item").alias("itemid"), pl.col("specimen").alias("·wanted"))
        frame = frame.join(wanted, on="itemid", how="left", maintain_order="left")
        frame = frame.join(run.looked.drop("len"), on=keys, how="left", maintain_order="left")
        fits = pl.col("·wanted").is_null() | (pl.col("·wanted") == pl.col("·specimen").str.strip_chars("."))
        rows, others = lines_of(frame, fits, "blood gas not known to be arterial")
        return pl.concat([measure(rows, run), others])

    return shape


def sex(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """Female or male, known since the first admission; nothing is said before it."""
    admitted = found("admitted", "subject_id")(run)
    told = "PATIENTS: a subject without an admission; nothing tells since when it is known"
    return candidates(
        frame,
        part="#gender",
        code=pl.concat_str(pl.lit("GENDER//"), pl.col("gender").fill_null("")),
        known=admitted,
        why=pl.when(admitted.is_not_null() & ~pl.col("gender").is_in(["F", "M"]).fill_null(False)).then(
            pl.lit("no sex given")
        ),
        reason=pl.when(admitted.is_null()).then(pl.lit("no-time")),
        message=pl.when(admitted.is_null()).then(pl.lit(told)),
    )
