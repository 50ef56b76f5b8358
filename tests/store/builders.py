"""Small batches and stores for tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clinical_jepa.records.batch import ImageItem, Retraction, SignalPiece, SourceBatch, SubjectLink
from clinical_jepa.records.events import EVENTS
from clinical_jepa.store.events import Store
from clinical_jepa.store.visible import View

EPOCH = datetime(1970, 1, 1)
HR = "LOINC//8867-4"


@dataclass(frozen=True)
class Row:
    """One EVENTS row, as few fields as tests need."""

    event_id: str
    available: int
    fact: str | None = None
    subject: int = 1
    time: int | None = 0
    status: str = "final"
    code: str = HR
    value: float | None = 1.0
    basis: str = "issued"
    source: str = "test"
    record: str | None = None

    @property
    def fact_id(self) -> str:
        return self.fact or f"fact of {self.event_id}"


def moment(us: int | None) -> datetime | None:
    return None if us is None else EPOCH + timedelta(microseconds=us)


def events(rows: Iterable[Row]) -> pa.Table:
    return pa.Table.from_pylist([_as_event(row) for row in rows], EVENTS)


def _as_event(row: Row) -> dict[str, Any]:
    return {
        "subject_id": row.subject,
        "time": moment(row.time),
        "code": row.code,
        "numeric_value": row.value,
        "available_time": moment(row.available),
        "available_basis": row.basis,
        "unit": "/min",
        "source": row.source,
        "event_id": row.event_id,
        "fact_id": row.fact_id,
        "status": row.status,
        "record_id": row.record,
    }


def withdrawn(record: str, available: int, basis: str = "issued") -> Retraction:
    return Retraction(record_id=record, time=available, available_time=available, available_basis=basis, source="test")


def linked(absorbed: int, survivor: int, available: int, *, active: bool = True) -> SubjectLink:
    return SubjectLink(
        absorbed=absorbed,
        survivor=survivor,
        active=active,
        time=available,
        available_time=available,
        available_basis="issued",
        source="test",
    )


def batch(*rows: Row, **more: Any) -> SourceBatch:
    return SourceBatch(events=events(rows), **more)


def telling(things: Iterable[Any]) -> SourceBatch:
    """Rows, pieces, withdrawals and links, as one source tells them at once."""
    told = list(things)
    return SourceBatch(
        events=events(one for one in told if isinstance(one, Row)),
        signals=tuple(one for one in told if isinstance(one, SignalPiece)),
        retractions=tuple(one for one in told if isinstance(one, Retraction)),
        links=tuple(one for one in told if isinstance(one, SubjectLink)),
    )


def same_view(one: View, other: View) -> None:
    """Asserts that two views say the same of every row."""
    assert one.table.combine_chunks().equals(other.table.combine_chunks())
    for name in ("available", "hidden_from", "previous", "subject", "by_subject", "subjects", "starts"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for name in ("places", "instants"):
        assert np.array_equal(getattr(one.ended, name), getattr(other.ended, name)), name


def piece(event_id: str, samples: Sequence[float] | np.ndarray, *, time: int = 0, subject: int = 1) -> SignalPiece:
    array = np.asarray(samples, np.float32)
    return SignalPiece(
        subject_id=subject,
        channel="ECG",
        time=time,
        available_time=time + array.size * 8000,
        available_basis="assumed",
        rate_hz=125.0,
        unit="mV",
        quality=1.0,
        quality_reason=None,
        samples=array,
        source="wfdb",
        event_id=event_id,
    )


def picture(event_id: str, pixels: np.ndarray, **more: Any) -> ImageItem:
    known: dict[str, Any] = {"subject_id": 1, "time": 5, "available_time": 9, "available_basis": "delay"}
    known |= {"modality": "DX", "view": "AP", "spacing_mm": (0.2, 0.1), "source": "dicom", "fact_id": event_id}
    return ImageItem(pixels=pixels, event_id=event_id, **(known | more))


def prepare(pixels: np.ndarray, spacing: tuple[float, float] | None) -> np.ndarray:
    return np.full((64, 64), pixels.mean(), np.float32)


def put(store: Store, *batches: SourceBatch, mode: Any = "history", now: Any = 0, file_hash: str | None = None) -> Any:
    return store.append(batches, mode=mode, now=now, prepare=prepare, file_hash=file_hash)


def stored(path: Path, *batches: SourceBatch) -> Store:
    """A new store that holds the batches, one commit each."""
    store = Store.open(path, create=True)
    for one in batches:
        put(store, one)
    return store


def ids(table: pa.Table) -> list[str]:
    return table["event_id"].to_pylist()
