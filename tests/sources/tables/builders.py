"""The example tables, and how to read them."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.events import EVENTS
from clinical_jepa.records.instant import iso
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables.data_set import beside
from clinical_jepa.sources.tables.mimic3 import reader

EXAMPLE = Path(reader.__file__).parent / "examples"


def copied(folder: Path, **tables: str | bytes | None) -> Path:
    """The example tables in ``folder``, some of them replaced, or (None) taken away."""
    root = folder / "mimic3"
    shutil.copytree(EXAMPLE, root)
    for table, content in tables.items():
        path = root / f"{table}.csv"
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def read(root: Path, table: str) -> SourceBatch:
    path = beside(root, table)
    assert path is not None
    return together(reader.read(path, ReadContext(root=root)))


def together(batches: Iterable[SourceBatch]) -> SourceBatch:
    """The batches of one unit as one."""
    found = list(batches)
    return SourceBatch(
        events=pa.concat_tables([EVENTS.empty_table(), *(one.events for one in found)]),
        identities=tuple({one.subject_id: one for batch in found for one in batch.identities}.values()),
        rejections=tuple(one for batch in found for one in batch.rejections),
        ignored=sum((Counter(batch.ignored) for batch in found), Counter()),
    )


def facts(batch: SourceBatch) -> set[tuple[object, ...]]:
    """(code, time, available, basis, value or text) of every row, times as text."""
    rows = batch.events.to_pylist()
    times = [batch.events[name].cast(pa.int64()).to_pylist() for name in ("time", "available_time")]
    found = set()
    for row, time, available in zip(rows, *times, strict=True):
        said = row["text_value"] if row["numeric_value"] is None else round(row["numeric_value"], 3)
        found.add((row["code"], None if time is None else short(time), short(available), row["available_basis"], said))
    return found


def short(instant: int) -> str:
    """``10-24 01:05``: the examples lie within a few days."""
    return iso(instant)[5:16].replace("T", " ")


def refusals(batch: SourceBatch) -> list[tuple[str, str]]:
    return [(one.reason, one.record) for one in batch.rejections]
