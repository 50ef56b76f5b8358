"""Rows of a made-up ward, column by column, in any number: what sizes and speeds are measured on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.events import EVENTS
from clinical_jepa.records.instant import DAY, MINUTE

if TYPE_CHECKING:
    from clinical_jepa.store.parts import Appended

CODES = tuple(f"LOINC//{number}" for number in range(50))
DAYS = 14


def batches(rows: int, *, size: int = 100_000, subjects: int = 1000, seed: int = 7) -> Iterator[SourceBatch]:
    """``rows`` charted values of ``subjects`` patients over ``DAYS`` days, in batches; every id is new."""
    chance = np.random.default_rng(seed)
    people = chance.integers(1, 2**48, subjects)
    for first in range(0, rows, size):
        yield SourceBatch(events=events(min(size, rows - first), people, chance))


def events(count: int, people: np.ndarray, chance: np.random.Generator) -> pa.Table:
    """EVENTS rows in no order."""
    time = chance.integers(0, DAYS * DAY, count)
    names = _names(count, chance)
    columns = {
        "subject_id": people[chance.integers(0, people.size, count)],
        "time": pa.array(time, pa.timestamp("us")),
        "code": _text(chance.integers(0, len(CODES), count, dtype=np.int32), CODES),
        "numeric_value": chance.normal(80, 20, count).astype(np.float32),
        "available_time": pa.array(time + 5 * MINUTE, pa.timestamp("us")),
        "event_id": names,
        "fact_id": names,
    }
    for name, text in {"available_basis": "issued", "unit": "/min", "source": "bench", "status": "final"}.items():
        columns[name] = _text(np.zeros(count, np.int32), (text,))
    whole = [columns.get(field.name, pa.nulls(count, field.type)) for field in EVENTS]
    return pa.table([pa.array(column) for column in whole], EVENTS)


def _text(places: np.ndarray, texts: tuple[str, ...]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(places, list(texts)).cast(pa.string())


def _names(count: int, chance: np.random.Generator) -> pa.Array:
    """Ids as hashes are: 32 hex characters."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)[chance.integers(0, 16, (count, 32), dtype=np.uint8)]
    return pa.array(digits.view("S32").ravel(), pa.binary()).cast(pa.string())


def stored(folder: Path, rows: int) -> Appended:
    """A new store with one unit of that many rows."""
    from clinical_jepa.store.events import Store

    store = Store.open(folder, create=True)
    return store.append(
        batches(rows), mode="history", now=0, prepare=lambda pixels, _: pixels, file_hash=f"{rows} rows"
    )
