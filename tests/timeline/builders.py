"""Small EVENTS, SIGNALS and Arrivals tables for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from clinical_jepa.records.events import EVENTS, IMAGES, SIGNALS
from clinical_jepa.records.views import Arrivals

EPOCH = datetime(1970, 1, 1)


def moment(us: int | None) -> datetime | None:
    return None if us is None else EPOCH + timedelta(microseconds=us)


def event(
    subject: int, code: str, time: int | None, available: int, value: float | None = None, **more: Any
) -> dict[str, Any]:
    row = dict.fromkeys(EVENTS.names) | {
        "subject_id": subject,
        "code": code,
        "time": moment(time),
        "numeric_value": value,
    }
    row |= {"available_time": moment(available), "available_basis": "issued", "source": "test", "status": "final"}
    key = f"{subject}/{code}/{time}/{available}"
    return row | {"event_id": key, "fact_id": key} | more


def signal(subject: int, channel: str, time: int, samples: int, rate_hz: float, reference: str) -> dict[str, Any]:
    end = time + round(samples / rate_hz * 1e6)
    row: dict[str, Any] = {"subject_id": subject, "channel": channel, "time": moment(time), "end_time": moment(end)}
    row |= {"available_time": moment(end), "available_basis": "assumed", "rate_hz": rate_hz, "samples": samples}
    return row | {
        "unit": "mV",
        "quality": 1.0,
        "quality_reason": None,
        "reference": reference,
        "source": "test",
        "event_id": reference,
    }


def arrivals(
    events: Sequence[dict[str, Any]], *, since: int, until: int, signals: Sequence[dict[str, Any]] = ()
) -> Arrivals:
    """In order of arrival, as the store answers."""
    kept = sorted(
        (e for e in events if moment(since) < e["available_time"] <= moment(until)),
        key=lambda e: (e["available_time"], e["time"] or e["available_time"], e["event_id"]),
    )
    origins = {e["subject_id"]: 0 for e in events}
    return Arrivals(
        since=since,
        until=until,
        events=pa.Table.from_pylist(kept, EVENTS),
        signals=pa.Table.from_pylist(
            [s for s in signals if moment(since) < s["available_time"] <= moment(until)], SIGNALS
        ),
        images=IMAGES.empty_table(),
        origins=origins,
        rewind={},
        late_rows=0,
        watermark=1,
    )


def no_load(reference: str) -> np.ndarray:
    raise AssertionError(f"nothing should be read, but {reference} was")
