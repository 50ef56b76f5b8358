"""The newest value of every vital of every patient, from one look at what is visible, and NEWS2 made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from clinical_jepa.forecast.news2 import News2, consciousness_of_gcs, news2, oxygen_of_fio2
from clinical_jepa.vocabulary.codes import by_code, by_name, codes

_ACVPU = ("A", "C", "V", "P", "U")
_NEWS2 = ("resp_rate", "spo2", "sbp", "heart_rate", "temperature")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One newest value. ``code`` is the charted code; ``monitor`` says that a monitor's numeric stands for it."""

    code: str
    value: float | None
    text: str | None
    time: int
    monitor: bool


Newest = Mapping[int, Mapping[str, Reading]]  # subject → charted code → reading


def newest(events: pa.Table) -> Newest:
    """The newest reading of every vital, charted or from the monitor, by ``time``; ties go to the charted one."""
    parents = {code.code: code.parent or code.code for code in codes() if code.kind in ("vital", "monitor")}
    parents[by_name()["fio2"].code] = by_name()["fio2"].code
    frame = pl.from_arrow(events.select(["subject_id", "time", "code", "numeric_value", "text_value"]))
    assert isinstance(frame, pl.DataFrame)
    rows = (
        frame.filter(pl.col("code").is_in(list(parents)), pl.col("time").is_not_null())
        .with_columns(
            parent=pl.col("code").replace(parents), charted=pl.col("code").replace_strict(parents) == pl.col("code")
        )
        .sort("time", "charted", maintain_order=True)
        .group_by("subject_id", "parent", maintain_order=True)
        .last()
        .with_columns(pl.col("time").cast(pl.Datetime("us")).cast(pl.Int64))
    )
    found: dict[int, dict[str, Reading]] = {}
    for row in rows.iter_rows(named=True):
        found.setdefault(row["subject_id"], {})[row["parent"]] = Reading(
            code=row["parent"],
            value=row["numeric_value"],
            text=row["text_value"],
            time=row["time"],
            monitor=not row["charted"],
        )
    return found


def vitals_time(readings: Mapping[str, Reading]) -> int | None:
    """When the newest vital sign was true (inspired oxygen is a setting and does not count)."""
    return max((reading.time for code, reading in readings.items() if by_code()[code].kind == "vital"), default=None)


def early_warning(readings: Mapping[str, Reading], *, not_before: int) -> News2:
    """NEWS2 (scale 1) of the readings at or after ``not_before``; what is older or was never seen is missing."""
    fresh = {code: reading for code, reading in readings.items() if reading.time >= not_before}
    values = {name: _value(fresh, name) for name in _NEWS2}
    level = fresh.get(by_name()["acvpu"].code)
    charted = level.text if level and level.text in _ACVPU else None
    return news2(values, oxygen_of_fio2(_value(fresh, "fio2")), charted or consciousness_of_gcs(_value(fresh, "gcs")))


def _value(readings: Mapping[str, Reading], name: str) -> float | None:
    reading = readings.get(by_name()[name].code)
    return reading.value if reading else None
