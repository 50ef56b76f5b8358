"""Collects EVENTS rows; every number passes the unit table and the plausibility limits here, and nowhere else.

A row that fails becomes a ``Rejection`` with its original bytes; the rest goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from clinical_jepa.records.batch import Rejection
from clinical_jepa.records.events import EVENTS
from clinical_jepa.sources import clocks
from clinical_jepa.vocabulary.codes import Code, by_code
from clinical_jepa.vocabulary.identity import content_id
from clinical_jepa.vocabulary.units import conversion


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a row comes from: for its id, its source column and a possible rejection."""

    source: str
    file: str
    record: str
    original: bytes | None = None
    shifted: bool = False  # its clock's offset was taken into account (``clocks``)

    @property
    def column(self) -> str:
        """What the source column says; ids are made of ``source``, so that they do not depend on an offset."""
        return clocks.source(self.source) if self.shifted else self.source


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One row before its unit and limits are checked. ``key`` identifies the fact across its versions.

    ``record`` names the source's record that said it (``Observation/123``), where its source may withdraw that whole.
    Its row is known ``after`` µs later than ``available_time``, so that versions of one instant follow each other; the
    row's id does not depend on that.
    """

    key: str
    subject_id: int
    code: str
    time: int | None
    available_time: int
    available_basis: str
    value: float | None = None
    unit: str | None = None
    text: str | None = None
    encounter_id: str | None = None
    status: str = "final"
    record: str | None = None
    after: int = 0


@dataclass(frozen=True)
class Rows:
    """A growing batch of events and rejections of one source."""

    events: list[tuple[Any, ...]] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)

    def add(self, fact: Fact, origin: Origin) -> bool:
        """Keep the fact in its canonical unit, or keep its rejection; True when it was kept as an event."""
        known = by_code().get(fact.code)
        value, unit = (
            abs(fact.value) if fact.value == 0 else fact.value,
            fact.unit,
        )  # no minus zero: it is the same fact
        if value is not None and known is not None and known.unit is not None:
            problem, value = _canonical(known, value, unit)
            if problem is not None:
                return self.reject(origin, *problem)
            unit = known.unit
        fact_id = content_id(origin.source, fact.key)
        row_id = content_id(
            fact_id, fact.subject_id, fact.time, fact.code, value, fact.text, unit, fact.status, fact.available_time
        )
        self.events.append(
            (fact.subject_id, fact.time, fact.code, value, fact.text, fact.available_time + fact.after)
            + (fact.available_basis, unit, fact.encounter_id, origin.column, row_id, fact_id, fact.status)
            + (None if fact.record is None else content_id(origin.source, fact.record),)
        )
        return True

    def reject(self, origin: Origin, reason: str, message: str) -> bool:
        """Keep a rejection; always False."""
        self.rejections.append(
            Rejection(
                source=origin.source,
                file=origin.file,
                record=origin.record,
                reason=reason,
                message=message,
                original=origin.original,
            )
        )
        return False

    def table(self) -> pa.Table:
        """The rows kept so far as an EVENTS table."""
        columns = list(zip(*self.events, strict=True)) or [() for _ in EVENTS]
        return pa.table([pa.array(column, field.type) for column, field in zip(columns, EVENTS, strict=True)], EVENTS)


def _canonical(known: Code, value: float, unit: str | None) -> tuple[tuple[str, str] | None, float]:
    if unit is None:
        return ("no-unit", f"{known.code} ({known.label}) needs a unit; {known.unit} is the canonical one"), value
    factors = conversion(unit, known.unit or "", code=known.code)
    if factors is None:
        return (
            "unknown-unit",
            f"{known.code} ({known.label}): {unit!r} has no certain conversion to {known.unit}",
        ), value
    value = value * factors[0] + factors[1]
    if not (known.low is None or value >= known.low) or not (known.high is None or value <= known.high):
        return (
            "implausible",
            f"{known.code} ({known.label}) lies outside {known.low} to {known.high} {known.unit}",
        ), value
    return None, value
