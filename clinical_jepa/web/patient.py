"""What one patient's visible events say in words and tables: who it is, laboratory values, treatments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.instant import DAY
from clinical_jepa.vocabulary.codes import by_code, by_name, codes
from clinical_jepa.web.charts.vitals import Points

_YEAR = 365.2425 * DAY
_LAB_COLUMNS = 4


@dataclass(frozen=True, kw_only=True)
class About:
    """Age in whole years, sex as recorded, and the recorded conditions, newest first."""

    years: int | None
    sex: str | None
    conditions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Lab:
    """One laboratory value: (collected at, value) pairs, the newest first."""

    code: str
    values: tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True)
class _Row:
    time: int | None
    code: str
    value: float | None
    text: str | None


def about(events: pa.Table, now: int) -> About:
    """Who the patient is, from what was recorded about them."""
    static = list(_rows(events, ("MEDS_BIRTH", "GENDER//F", "GENDER//M")))
    birth = next((row.time for row in static if row.code == "MEDS_BIRTH" and row.time is not None), None)
    sex = next((by_code()[row.code].label for row in static if row.code.startswith("GENDER")), None)
    rows = sorted(_conditions(events), key=lambda row: row.time or 0, reverse=True)
    names = dict.fromkeys(row.text or row.code.rpartition("//")[2] for row in rows)
    return About(years=int((now - birth) // _YEAR) if birth is not None else None, sex=sex, conditions=tuple(names))


def labs(events: pa.Table) -> tuple[Lab, ...]:
    """Every laboratory code that has a value, in the order of the list, with its newest values."""
    found = _series(events, tuple(code.code for code in codes() if code.kind == "lab"))
    return tuple(Lab(code=code, values=tuple(reversed(points[-_LAB_COLUMNS:]))) for code, points in found.items())


def treatments(events: pa.Table, start: int) -> Mapping[str, Points]:
    """(time, rate or dose) of every treatment since ``start``, and the last entry before it, which may still run."""
    found = _series(events, tuple(code.code for code in codes() if code.kind == "treatment"))
    recent = {}
    for code, points in found.items():
        before = [point for point in points if point[0] <= start]
        kept = [*before[-1:], *(point for point in points if point[0] > start)]
        floor = 21.0 if code == by_name()["fio2"].code else 0.0  # room air is no treatment
        if any(value > floor and (at > start or _runs_on(code)) for at, value in kept):
            recent[code] = kept
    return recent


def _runs_on(code: str) -> bool:
    """A rate holds until the next entry; a dose is over when it was given."""
    return (by_code()[code].unit or "").endswith(("/min", "%"))


def _series(events: pa.Table, wanted: tuple[str, ...]) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for row in _rows(events, wanted):
        if row.time is not None and row.value is not None:
            found.setdefault(row.code, []).append((row.time, row.value))
    return {code: sorted(found[code]) for code in wanted if code in found}


def _rows(events: pa.Table, wanted: tuple[str, ...]) -> Iterator[_Row]:
    return _read(events.filter(pc.is_in(events["code"], value_set=pa.array(wanted, type=events["code"].type))))


def _conditions(events: pa.Table) -> Iterator[_Row]:
    return _read(events.filter(pc.starts_with(events["code"], "CONDITION//")))


def _read(events: pa.Table) -> Iterator[_Row]:
    times = events["time"].cast(pa.int64()).to_pylist()
    columns = (times, events["code"].to_pylist(), events["numeric_value"].to_pylist(), events["text_value"].to_pylist())
    for time, code, value, text in zip(*columns, strict=True):
        yield _Row(time=time, code=code, value=value, text=text)
