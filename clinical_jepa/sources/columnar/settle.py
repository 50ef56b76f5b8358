"""Candidates to rows of the store: subject, unit, limits, availability, ids; and what became of every line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa

from clinical_jepa.records.batch import Identity, Rejection, SourceBatch
from clinical_jepa.records.events import EVENTS
from clinical_jepa.sources.columnar.block import LINE, Block
from clinical_jepa.sources.columnar.candidates import COLUMNS, UNMAPPED, Run, candidates, nothing
from clinical_jepa.sources.columnar.checks import checked
from clinical_jepa.sources.columnar.events import NOTHING, SEPARATOR, content

_UNKEPT = "a line without any fact"


@dataclass(frozen=True, kw_only=True)
class Lines:
    """What became of the lines of a table: each is stored (at least one fact of it), refused, or ignored by kind.

    ``refused`` counts by reason the lines of which nothing was stored and something refused; ``partly`` counts the stored
    ones of which something was refused. The three are all: ``count == stored + refused + ignored``. ``items`` counts
    the ignored ones of items that the code map does not list, by item.
    """

    count: int = 0
    stored: int = 0
    partly: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    items: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Lines) -> Lines:
        return Lines(
            count=self.count + other.count,
            stored=self.stored + other.stored,
            partly=self.partly + other.partly,
            refused=self.refused + other.refused,
            ignored=self.ignored + other.ignored,
            items=self.items + other.items,
        )

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return self.count == self.stored + self.refused.total() + self.ignored.total()


@dataclass(frozen=True, kw_only=True)
class Settled:
    """A batch, and what became of the lines that it comes from."""

    batch: SourceBatch
    lines: Lines = field(default_factory=Lines)


def settled(block: Block, found: Sequence[pl.DataFrame], run: Run, columns: Columns) -> Settled:
    """The batch of one block. Of a line in several candidates the first says why it was ignored."""
    rows = pl.concat([nothing(), *found])
    possible = _peopled(rows.filter(pl.col("why").is_null()), block, run, columns)
    possible = _available(checked(_timed(possible, run)))
    kept = possible.filter(pl.col("reason").is_null())
    refused = possible.filter(pl.col("reason").is_not_null())
    lines = _lines(block, rows, kept, refused)
    where = columns.records(block.frame)
    rejections = [
        _rejection(run, where.get(line, "line"), reason, message, block.line(line))
        for line, reason, message in refused.select(LINE, "reason", "message").unique(maintain_order=True).rows()
    ]
    batch = SourceBatch(
        events=_events(kept, run.source),
        identities=_identities(kept, run),
        rejections=(*rejections, *_broken(block, run)),
        ignored={f"{run.source} {why}": count for why, count in lines.ignored.items()},
    )
    return Settled(batch=batch, lines=lines)


def refusal(source: str, file: str, message: str) -> Settled:
    """A file of which nothing is taken."""
    rejection = Rejection(source=source, file=file, record="file", reason="unreadable", message=message)
    return Settled(batch=SourceBatch(events=EVENTS.empty_table(), rejections=(rejection,)))


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns say whose a line is, and which make it this line and no other; ``shown`` name it in refusals."""

    subject: str
    encounter: str | None
    key: tuple[str, ...]
    shown: tuple[str, ...]

    def keyed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``LINE``, ``who``, ``encounter`` and ``key`` of every line; null where the table has no such column."""
        if not {self.subject, *self.key} <= set(frame.columns):
            empty = pl.lit(None, pl.String)
            return frame.select(LINE, empty.alias("who"), empty.alias("encounter"), pl.lit("").alias("key"))
        named = [pl.col(name).fill_null("") for name in self.key]
        return frame.select(
            LINE,
            pl.col(self.subject).alias("who"),
            (pl.col(self.encounter) if self.encounter else pl.lit(None, pl.String)).alias("encounter"),
            pl.concat_str(named, separator="|").alias("key"),
        )

    def records(self, frame: pl.DataFrame) -> _Records:
        """How refusals name a line: by its key, which does not depend on the order of lines."""
        return _Records(frame=frame, shown=self.shown)


@dataclass(frozen=True, kw_only=True)
class _Records:
    frame: pl.DataFrame
    shown: tuple[str, ...]

    def get(self, line: int, default: str) -> str:
        if not set(self.shown) <= set(self.frame.columns):
            return default
        places = self.frame[LINE]
        at = places.search_sorted(line)
        values = self.frame.row(int(at), named=True)
        return ", ".join(f"{name} {values[name] or ''}".strip() for name in self.shown)


def _peopled(rows: pl.DataFrame, block: Block, run: Run, columns: Columns) -> pl.DataFrame:
    rows = rows.join(columns.keyed(block.frame), on=LINE, how="left", maintain_order="left")
    names = rows["who"].drop_nulls().unique().to_list()
    ids = {name: who.subject_id for name in names if (who := run.people(name)) is not None}
    subject = pl.col("who").replace_strict(ids, default=None, return_dtype=pl.Int64)
    return rows.with_columns(subject.alias("subject_id"))


def _timed(rows: pl.DataFrame, run: Run) -> pl.DataFrame:
    """Refuses what has no time, then what belongs to nobody, unless its shape refused it already."""
    timeless = pl.all_horizontal(pl.col(name).is_null() for name in ("reason", "time", "known"))
    nobody = pl.col("reason").is_null() & ~timeless & pl.col("subject_id").is_null()
    name = run.table
    return rows.with_columns(
        pl.when(timeless)
        .then(pl.lit("no-time"))
        .when(nobody)
        .then(pl.lit("unknown-subject"))
        .otherwise("reason")
        .alias("reason"),
        pl.when(timeless)
        .then(pl.lit(f"{name}: no readable time"))
        .when(nobody)
        .then(pl.lit(f"{name}: a subject that the data set does not declare"))
        .otherwise("message")
        .alias("message"),
    )


def _available(rows: pl.DataFrame) -> pl.DataFrame:
    """``available`` and ``basis``, by the rule of ``sources.availability``."""
    time, reported, delay, known = (pl.col(name) for name in ("time", "reported", "delay", "known"))
    early = reported < time
    return rows.with_columns(
        pl.when(known.is_not_null())
        .then(pl.max_horizontal(known, time))
        .when(reported.is_not_null())
        .then(pl.max_horizontal(reported, time))
        .otherwise(time + delay.fill_null(0))
        .alias("available"),
        pl.when(pl.col("basis").is_not_null())
        .then("basis")
        .when(known.is_not_null())
        .then(pl.lit("assumed"))
        .when(early)
        .then(pl.lit("clamped"))
        .when(reported.is_not_null())
        .then(pl.lit("issued"))
        .when(delay.is_not_null())
        .then(pl.lit("delay"))
        .otherwise(pl.lit("assumed"))
        .alias("basis"),
    )


def _events(rows: pl.DataFrame, source: str) -> pa.Table:
    values = [None if value is None else str(value) for value in rows["value"].to_list()]
    rows = rows.with_columns(
        pl.concat_str("key", "part").alias("key"),
        pl.Series("·value", values, pl.String),
        pl.col("status").fill_null("final"),
    )
    facts = _ids(rows, pl.lit(source), "key")
    rows = rows.with_columns(pl.Series("·fact", facts, pl.String))
    said = ("subject_id", "time", "code", "·value", "text", "unit")
    events = _ids(rows, "·fact", *said, "status", "available")
    columns = {
        **{name: rows[name].to_arrow() for name in ("subject_id", "time", "code")},
        "numeric_value": rows["value"].cast(pl.Float32).to_arrow(),
        "text_value": rows["text"].to_arrow(),
        "available_time": rows["available"].to_arrow(),
        "available_basis": rows["basis"].to_arrow(),
        "unit": rows["unit"].to_arrow(),
        "encounter_id": rows["encounter"].to_arrow(),
        "source": pa.array([source] * rows.height, pa.string()),
        "event_id": pa.array(events, pa.string()),
        "fact_id": pa.array(facts, pa.string()),
        "status": rows["status"].to_arrow(),
        "record_id": pa.nulls(rows.height, pa.string()),
    }
    return pa.table([columns[field.name].cast(field.type) for field in EVENTS], EVENTS)


def _ids(rows: pl.DataFrame, *parts: str | pl.Expr) -> list[str]:
    """``vocabulary.identity.content_id`` of every row."""
    named = [pl.col(part) if isinstance(part, str) else part for part in parts]
    texts = rows.select(pl.concat_str([part.cast(pl.String).fill_null(NOTHING) for part in named], separator=SEPARATOR))
    return [content(text) for text in texts.to_series().to_list()]


def _identities(kept: pl.DataFrame, run: Run) -> tuple[Identity, ...]:
    people = (run.people(name) for name in kept["who"].unique().sort().to_list())
    return tuple(who for who in people if who is not None)


def _lines(block: Block, rows: pl.DataFrame, kept: pl.DataFrame, refused: pl.DataFrame) -> Lines:
    stored = kept[LINE].unique()
    reasons = refused.group_by(LINE, maintain_order=True).agg(pl.col("reason").first())
    partly = reasons[LINE].is_in(stored.implode()).sum()
    only = reasons.filter(~pl.col(LINE).is_in(stored.implode()))
    settled_lines = pl.concat([stored, only[LINE]])
    idle = block.frame.select(LINE).filter(~pl.col(LINE).is_in(settled_lines.implode()))
    first = (pl.col("why").first(), pl.col("text").first().alias("item"))
    whys = rows.filter(pl.col("why").is_not_null()).group_by(LINE, maintain_order=True).agg(*first)
    told = idle.join(whys, on=LINE, how="left").with_columns(pl.col("why").fill_null(_UNKEPT))
    unlisted = told.filter(pl.col("why") == UNMAPPED)["item"].drop_nulls()
    return Lines(
        count=block.count,
        stored=stored.len(),
        partly=int(partly),
        refused=Counter(dict(only["reason"].value_counts().rows())) + _ragged(block),
        ignored=Counter(dict(told["why"].value_counts().rows())),
        items=Counter(dict(unlisted.value_counts().rows())),
    )


def _ragged(block: Block) -> Counter[str]:
    return Counter({"invalid": len(block.ragged), "unreadable": len(block.cut)})


def _broken(block: Block, run: Run) -> Iterable[Rejection]:
    """Refusals of lines that are no rows."""
    told = f"{run.table}: the line has more or fewer cells than the head"
    for line in block.ragged:
        owner = f"{block.owners[line]}, " if block.owners else ""
        yield _rejection(run, f"{owner}line with another number of cells", "invalid", told, block.line(line))
    for cut in block.cut:
        told = (
            f"{run.table}: the last line has no line break, so it may have been cut; end it with one where it is whole"
        )
        yield _rejection(run, "last line", "unreadable", told, cut)


def _rejection(run: Run, record: str, reason: str, message: str, original: bytes) -> Rejection:
    return Rejection(source=run.source, file=run.file, record=record, reason=reason, message=message, original=original)


def ignored_whole(frame: pl.DataFrame, why: str) -> pl.DataFrame:
    """Every line of a table that is no fact of this system."""
    return candidates(frame, why=why)


__all__ = ["COLUMNS", "Columns", "Lines", "Settled", "ignored_whole", "refusal", "settled"]
