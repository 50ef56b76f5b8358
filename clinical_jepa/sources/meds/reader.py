"""Reads MEDS datasets, one data file a unit. Namespace ``meds:NAME``, NAME as ``dataset.json`` says.

Codes of this system stay; others go through ``schemas/codes/meds.csv`` (``LAB//220045``, whatever unit follows) or stay as
they are. A unit is what the row's column ``unit`` says, else the code's suffix, else ``codes.parquet``; ``UNK`` is none. When
a row was known stands in ``available_time`` where the dataset has it, as ours do; else its time is taken, marked assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from clinical_jepa.records.batch import Identity, SourceBatch
from clinical_jepa.records.events import BASES, STATUSES
from clinical_jepa.sources.columnar.block import LINE, Block
from clinical_jepa.sources.columnar.candidates import Run, candidates
from clinical_jepa.sources.columnar.codemap import items
from clinical_jepa.sources.columnar.settle import Columns, Settled, refusal, settled
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.meds import layout
from clinical_jepa.vocabulary.codes import by_code

NAMESPACE = "meds"
BIRTH = "MEDS_BIRTH"
_ROWS = 100_000
_NO_UNIT = ("", "UNK", "None", "nan")
_TEXTS = ("text_value", "unit", "encounter_id", "fact_id", "status", "available_basis")
_MEANT = {
    "code": pl.String,
    "unit": pl.String,
    "mapped": pl.String,
    "said": pl.String,
    "low": pl.Float64,
    "high": pl.Float64,
}
_SAID = ("who", "time", "code", "value", "text_value")  # what tells rows apart that have no id
_COLUMNS = Columns(subject="who", encounter="encounter_id", key=("·key",), shown=("row",))


def find(root: Path) -> list[Path]:
    """The data files of the datasets at or below ``root``."""
    return layout.shards(root)


def parts(path: Path) -> list[Path]:
    """The file, and what its dataset says of itself and of its codes."""
    folder = layout.dataset(path)
    others = [] if folder is None else [folder / layout.METADATA / name for name in (layout.CODES, layout.DATASET)]
    return sorted({path, *(other for other in others if other.is_file())})


def read(path: Path, context: ReadContext) -> Iterator[SourceBatch]:
    """The rows of one data file, some hundred thousand at a time."""
    return (one.batch for one in account(path, context))


def account(path: Path, context: ReadContext) -> Iterator[Settled]:
    """The same batches, with what became of the rows they come from."""
    folder = layout.dataset(path)
    name = str(layout.described(folder).get("dataset_name") or "")
    namespace = f"{NAMESPACE}:{name}" if name else NAMESPACE
    context = replace(context, namespace=namespace)
    file = str(path.relative_to(context.root)) if context.root in path.parents else path.name
    run = Run(
        table="events",
        source=namespace,
        file=file,
        context=context,
        items=items(NAMESPACE, "events"),
        people=_everyone(context),
    )
    try:
        yield from _settled(path, run, _Codes(run.items, layout.units(folder)))
    except (OSError, pa.ArrowException) as error:
        why = f"{path.name} is damaged or no Parquet file ({type(error).__name__}): the rest of it was not kept"
        yield refusal(namespace, file, why)


def _settled(path: Path, run: Run, codes: _Codes) -> Iterator[Settled]:
    with pq.ParquetFile(path) as file:
        missing = sorted(set(layout.NEEDED) - set(file.schema_arrow.names))
        if missing or not pa.types.is_timestamp(file.schema_arrow.field("time").type):
            lacks = f"lacks the columns {', '.join(missing)}" if missing else "has a time that is no timestamp"
            yield refusal(run.source, run.file, f"{path.name} {lacks}: nothing of it was kept")
            return
        firsts = _firsts(file)
        first = 0
        for batch in file.iter_batches(_ROWS):
            yield _block(batch, first, run, codes, firsts)
            first += batch.num_rows


def _firsts(file: pq.ParquetFile) -> pl.DataFrame:
    """By subject: its first time besides birth, from which on statics count as known."""
    found = []
    for batch in file.iter_batches(_ROWS, columns=list(layout.NEEDED)):
        frame = _plain(batch)
        frame = frame.filter((pl.col("code") != BIRTH) & pl.col("time").is_not_null())
        found.append(frame.group_by("who").agg(pl.col("time").min().alias("·first")))
    empty = pl.DataFrame(schema={"who": pl.String, "·first": pl.Int64})
    return pl.concat([empty, *found]).group_by("who").agg(pl.col("·first").min())


def _plain(batch: pa.RecordBatch) -> pl.DataFrame:
    """Text, numbers and µs UTC, whatever the exact types of the columns."""
    names = set(batch.schema.names)
    columns = {
        "who": batch["subject_id"].cast(pa.string()),
        "time": batch["time"].cast(pa.timestamp("us", batch["time"].type.tz)).cast(pa.int64()),
        "code": batch["code"].cast(pa.large_string()),
    }
    value = next((name for name in layout.VALUES if name in names), None)
    columns["value"] = pa.nulls(batch.num_rows, pa.float64()) if value is None else batch[value].cast(pa.float64())
    for name in _TEXTS:
        columns[name] = (
            batch[name].cast(pa.large_string()) if name in names else pa.nulls(batch.num_rows, pa.large_string())
        )
    known = "available_time" in names
    columns["available"] = (
        batch["available_time"].cast(pa.timestamp("us")).cast(pa.int64())
        if known
        else pa.nulls(batch.num_rows, pa.int64())
    )
    if "clinical_time" in names:  # of our view of known time
        columns["time"] = batch["clinical_time"].cast(pa.timestamp("us")).cast(pa.int64())
    return pl.DataFrame(pl.from_arrow(pa.table(columns)))


def _block(batch: pa.RecordBatch, first: int, run: Run, codes: _Codes, firsts: pl.DataFrame) -> Settled:
    frame = _plain(batch).with_row_index(LINE).with_columns(pl.col(LINE).cast(pl.Int64))
    frame = frame.join(codes.of(frame), on=["code", "unit"], how="left", nulls_equal=True, maintain_order="left")
    frame = frame.join(firsts, on="who", how="left", maintain_order="left")
    said = pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in _SAID], separator="|")
    frame = frame.with_columns(
        pl.coalesce("fact_id", said).alias("·key"), (pl.col(LINE) + first).cast(pl.String).alias("row")
    )
    block = Block(frame=frame, shown=lambda place: orjson.dumps(batch.slice(place, 1).to_pylist()[0], default=str))
    return settled(block, [_facts(frame)], run, _COLUMNS)


def _facts(frame: pl.DataFrame) -> pl.DataFrame:
    told, static = pl.col("available"), pl.col("time").is_null() | (pl.col("code") == BIRTH)
    finite = pl.col("value").is_finite()
    uncoded, odd = pl.col("code").is_null(), pl.col("value").is_not_null() & ~finite
    return candidates(
        frame,
        code=pl.coalesce("mapped", "code"),
        time=pl.col("time"),
        known=pl.when(static).then(pl.coalesce(told, "·first")),
        reported=told,
        basis=pl.when(told.is_not_null() & pl.col("available_basis").is_in(BASES)).then("available_basis"),
        status=pl.when(pl.col("status").is_in(STATUSES)).then("status"),
        value=pl.when(finite).then("value"),
        unit=pl.when(finite).then("said"),
        text=pl.col("text_value"),
        low=pl.col("low"),
        high=pl.col("high"),
        reason=pl.when(uncoded | odd).then(pl.lit("invalid")),
        message=pl.when(uncoded)
        .then(pl.lit("a row without a code"))
        .when(odd)
        .then(pl.lit("the number is not finite")),
    )


def _everyone(context: ReadContext) -> Callable[[str], Identity]:
    known: dict[str, Identity] = {}

    def people(identifier: str) -> Identity:
        if identifier not in known:
            subject = context.subject(identifier)
            known[identifier] = Identity(subject_id=subject, namespace=context.namespace, identifier=identifier)
        return known[identifier]

    return people


@dataclass(frozen=True)
class _Codes:
    """What a code means here, and in which unit its numbers are."""

    items: pl.DataFrame
    described: dict[str, str]

    def of(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``mapped``, ``said``, ``low`` and ``high`` of every (code, unit) of a frame."""
        known = {row["item"]: row for row in self.items.rows(named=True)}
        pairs = frame.select("code", "unit").unique().rows()
        rows = [(code, unit, *self._one(code or "", unit, known)) for code, unit in pairs]
        return pl.DataFrame(rows, schema=_MEANT, orient="row")

    def _one(self, code: str, unit: str | None, known: dict[str, dict[str, Any]]) -> tuple[object, ...]:
        stated = unit or self.described.get(code)
        if code in by_code():
            return code, stated, None, None
        *_, suffix = code.split("//")
        base = "//".join(code.split("//")[:2])
        item = known.get(base)
        if item is None:
            return code, stated, None, None
        if stated is None and suffix not in (base.rpartition("//")[2], *_NO_UNIT):
            stated = suffix
        spelled = stated is None or stated.lower() in item["spelled"]
        return item["code"], item["unit"] if spelled else stated, item["low"], item["high"]
