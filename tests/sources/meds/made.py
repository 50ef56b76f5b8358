"""A small valid MEDS dataset, to be spoilt."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

DATA = pa.schema(
    [
        pa.field("subject_id", pa.int64()),
        pa.field("time", pa.timestamp("us")),
        pa.field("code", pa.string()),
        pa.field("numeric_value", pa.float32()),
        pa.field("text_value", pa.large_string()),
    ]
)
DESCRIPTION = {"dataset_name": "made", "meds_version": "0.4.1"}


def at(hour: float) -> datetime:
    return datetime(2150, 1, 2, int(hour), round(hour % 1 * 60))


def row(
    subject: int | None, time: datetime | None, code: str | None, value: float | None = None, **extra: Any
) -> dict[str, Any]:
    return {"subject_id": subject, "time": time, "code": code, "numeric_value": value, "text_value": None, **extra}


ROWS = [
    row(1, None, "GENDER//F"),
    row(1, at(1), "LAB//220045//bpm", 88.0),
    row(1, at(2), "LAB//50813//mmol/L", 1.5),
    row(2, None, "GENDER//M"),
    row(2, at(1), "OWN//thing", 3.0),
    row(2, at(3), "LAB//223761//°F", 98.6),
]
OTHER = [row(3, at(1), "OWN//thing", 4.0)]


def write(
    folder: Path,
    *shards: list[dict[str, Any]],
    schema: pa.Schema = DATA,
    codes: list[str] | None = None,
    splits: list[int] | None = None,
    description: dict[str, Any] | None = None,
) -> Path:
    """The dataset with these shards; codes and splits cover them unless they are given."""
    shards = shards or (ROWS, OTHER)
    rows = [one for shard in shards for one in shard]
    (folder / "data").mkdir(parents=True)
    (folder / "metadata").mkdir()
    for number, shard in enumerate(shards):
        pq.write_table(pa.Table.from_pylist(shard, schema), folder / "data" / f"{number}.parquet")
    known = sorted({one["code"] for one in rows if one["code"]}) if codes is None else codes
    table = pa.table({"code": pa.array(known, pa.string()), "description": pa.nulls(len(known), pa.string())})
    pq.write_table(table, folder / "metadata" / "codes.parquet")
    people = sorted({one["subject_id"] for one in rows if one["subject_id"]}) if splits is None else splits
    parts = pa.table(
        {"subject_id": pa.array(people, pa.int64()), "split": pa.array(["train"] * len(people), pa.string())}
    )
    pq.write_table(parts, folder / "metadata" / "subject_splits.parquet")
    (folder / "metadata" / "dataset.json").write_text(json.dumps(description or DESCRIPTION))
    return folder
