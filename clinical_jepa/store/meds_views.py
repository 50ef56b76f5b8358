"""The store as a MEDS 0.4 dataset, in one of two views.

*known*: a row at the time when it became known, every version of a fact where it arrived, nothing that was withdrawn by a
version of its own; whoever reads it up to an instant knows what was known then. *clinical*: the newest version of every
fact at the time when it was true; it knows the future. In both, statics have no time and birth lies at birth.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.events import EVENTS, RETRACTED
from clinical_jepa.records.instant import BEGINNING
from clinical_jepa.store.events import Store
from clinical_jepa.store.files import write_bytes, write_whole
from clinical_jepa.store.reader import Reader
from clinical_jepa.vocabulary.codes import by_code

View = Literal["known", "clinical"]
VIEWS: tuple[View, ...] = get_args(View)
MEDS_VERSION = "0.4.1"
_MEDS = ("subject_id", "time", "code", "numeric_value", "text_value")
_KEPT = ("available_time", "available_basis", "unit", "encounter_id", "source", "event_id", "fact_id", "status")
_BIRTH = "MEDS_BIRTH"
_PERSON = "PERSON"  # its text is shared by the stays of one person
_SHARD_ROWS = 1_000_000
_SHARES = (("train", 0.8), ("tuning", 0.9), ("held_out", 1.0))  # up to this share of the range of a hash


def export(store: Store, out: Path, *, view: View, as_of: int, made: datetime) -> dict[str, int]:
    """Writes the dataset into ``out``, which must not exist or be empty; how many subjects, rows, codes and files."""
    if out.exists() and any(out.iterdir()):
        raise BadRequest(f"{out} is not empty; a MEDS dataset is written into a folder of its own")
    codes: set[str] = set()
    people: dict[int, str] = {}
    written = 0
    shards = (shard for reader in store.readers() for shard in _shards(_in_view(reader, view, as_of)))
    for number, shard in enumerate(shards):
        _write(out / "data" / f"{number:05d}.parquet", shard)
        codes |= set(shard["code"].unique().to_pylist())
        people |= _people(shard)
        written += shard.num_rows
    _write(out / "metadata" / "codes.parquet", _codes(sorted(codes)))
    _write(out / "metadata" / "subject_splits.parquet", _splits(people))
    said = json.dumps(_described(view, as_of, made), indent=1).encode()
    write_bytes(out / "metadata" / "dataset.json", said)
    files = len(list((out / "data").glob("*.parquet")))
    return {"subjects": len(people), "rows": written, "codes": len(codes), "files": files}


def _in_view(reader: Reader, view: View, as_of: int) -> pl.DataFrame:
    """All rows, by subject and time (none first); ties in an order that does not depend on how they were stored."""
    timeless = pl.col("time").is_null() | (pl.col("code") == _BIRTH)
    if view == "clinical":
        rows = pl.DataFrame(pl.from_arrow(reader.arrivals(BEGINNING, as_of).events))
    else:
        rows = pl.DataFrame(pl.from_arrow(reader.versions(as_of))).filter(~pl.col("status").is_in(RETRACTED))
        rows = rows.with_columns(
            pl.col("time").alias("clinical_time"),
            pl.when(timeless).then("time").otherwise("available_time").alias("time"),
        )
    return rows.sort("subject_id", "time", "code", "event_id", nulls_last=False)


def _shards(rows: pl.DataFrame) -> Iterator[pa.Table]:
    """Whole subjects, about ``_SHARD_ROWS`` rows each."""
    sizes = rows.group_by("subject_id", maintain_order=True).len()
    first = size = 0
    for rows_of_one in sizes["len"].to_list():
        size += rows_of_one
        if size >= _SHARD_ROWS:
            yield _table(rows.slice(first, size))
            first, size = first + size, 0
    if size or not rows.height:
        yield _table(rows.slice(first, size))


def _table(rows: pl.DataFrame) -> pa.Table:
    known = {field.name: field for field in EVENTS}
    extra = [pa.field("clinical_time", pa.timestamp("us"))] if "clinical_time" in rows.columns else []
    schema = pa.schema([*(known[name] for name in (*_MEDS, *_KEPT)), *extra])
    return rows.select(schema.names).to_arrow().cast(schema)


def _codes(codes: list[str]) -> pa.Table:
    """Every code of the data, with its name, its parents and its unit where the code list has them."""
    listed = [by_code().get(code) for code in codes]
    return pa.table(
        {
            "code": pa.array(codes, pa.string()),
            "description": pa.array([one.label if one else None for one in listed], pa.string()),
            "parent_codes": pa.array(
                [_parents(code, one.parent if one else None) for code, one in zip(codes, listed, strict=True)],
                pa.list_(pa.string()),
            ),
            "unit": pa.array([one.unit if one else None for one in listed], pa.string()),
        }
    )


def _parents(code: str, parent: str | None) -> list[str] | None:
    prefix = code.partition("//")[0]
    above = parent or (prefix if prefix != code and prefix in by_code() else None)
    return [above] if above else None


def _people(shard: pa.Table) -> dict[int, str]:
    """By subject of the shard: the person that it is a stay of, or itself."""
    rows = pl.DataFrame(pl.from_arrow(shard.select(["subject_id", "code", "text_value"])))
    persons = dict(rows.filter(pl.col("code") == _PERSON).select("subject_id", "text_value").rows())
    return {subject: persons.get(subject) or str(subject) for subject in rows["subject_id"].unique().to_list()}


def _splits(people: Mapping[int, str]) -> pa.Table:
    """80, 10 and 10 in a hundred, by a hash of the person: the stays of one person are in one split."""
    subjects = sorted(people)
    splits = [_split(people[subject]) for subject in subjects]
    return pa.table({"subject_id": pa.array(subjects, pa.int64()), "split": pa.array(splits, pa.string())})


def _split(person: str) -> str:
    share = int.from_bytes(hashlib.blake2b(person.encode(), digest_size=4).digest(), "big") / 2**32
    return next(name for name, upper in _SHARES if share < upper)


def _described(view: View, as_of: int, made: datetime) -> dict[str, object]:
    extra = ["clinical_time"] if view == "known" else []
    return {
        "dataset_name": f"clinical-jepa-{view}",
        "etl_name": "clinical-jepa export meds",
        "meds_version": MEDS_VERSION,
        "created_at": made.isoformat(),
        "raw_source_id_columns": ["encounter_id", "event_id", "fact_id"],
        "code_modifier_columns": ["unit"],
        "other_extension_columns": ["available_time", "available_basis", "source", "status", *extra],
        "description_uri": f"urn:clinical-jepa:view:{view}",
    }


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda file: pq.write_table(table, file, compression="zstd", write_page_checksum=True))
