"""Wards written by hand: rows with a time and a moment at which they become known, as batches for a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from clinical_jepa.records.batch import Identity, SourceBatch
from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.sources.rows import Fact, Origin, Rows
from clinical_jepa.vocabulary.codes import by_code

START = 1_767_600_000_000_000  # 2026-01-05T08:00Z
PRESSURE, HEART_RATE, OXYGEN = "LOINC//8478-0", "LOINC//8867-4", "LOINC//59408-5"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row. ``time`` and ``known`` in minutes after START; ``fact`` is shared by versions of one fact."""

    subject: int
    time: float
    code: str = PRESSURE
    value: float | None = None
    known: float | None = None
    text: str | None = None
    status: str = "final"
    fact: str | None = None
    encounter: str | None = None


def at(minutes: float) -> int:
    """The instant so many minutes after START."""
    return START + round(minutes * MINUTE)


def batch(lines: Iterable[Line], source: str = "script") -> SourceBatch:
    """The lines as one batch, their subjects as identities of the namespace "script"."""
    lines = tuple(lines)
    rows = Rows()
    for line in lines:
        rows.add(_fact(line), Origin(source=source, file="script", record="line"))
    known = sorted({line.subject for line in lines})
    identities = tuple(Identity(subject_id=one, namespace="script", identifier=str(one)) for one in known)
    return SourceBatch(events=rows.table(), identities=identities, rejections=tuple(rows.rejections))


def admission(subject: int, time: float = 0, bed: str | None = None) -> list[Line]:
    """Admission to a bed."""
    encounter = f"encounter-{subject}"
    return [
        Line(subject=subject, time=time, code="HOSPITAL_ADMISSION//IMP", encounter=encounter),
        Line(subject=subject, time=time, code="TRANSFER_TO", text=bed or f"Bed {subject}", encounter=encounter),
    ]


def discharge(subject: int, time: float) -> Line:
    """Discharge home."""
    return Line(subject=subject, time=time, code="HOSPITAL_DISCHARGE//home", encounter=f"encounter-{subject}")


def pressures(subject: int, values: Iterable[tuple[float, float]]) -> list[Line]:
    """Charted mean pressures: (minute, mmHg)."""
    return [Line(subject=subject, time=minute, value=value) for minute, value in values]


def random_ward(subjects: int, hours: int, seed: int) -> Iterator[Line]:
    """Pressures every five minutes that wander around the alert threshold, some known late, some corrected, some withdrawn."""
    chance = np.random.default_rng(seed)
    for subject in range(1, subjects + 1):
        yield from admission(subject)
        low = False
        for minute in range(1, hours * 60, 5):
            low = low if chance.random() > 0.04 else not low
            value = round(float(chance.normal(66.8 if low else 80.0, 0.8)), 1)
            fact = f"{subject}/{minute}"
            late = float(chance.exponential(8.0)) if chance.random() < 0.1 else 0.0
            line = Line(subject=subject, time=minute, value=value, known=minute + late, fact=fact)
            yield line
            if chance.random() < 0.02:
                yield _correction(line, chance)
        if chance.random() < 0.3:
            yield discharge(subject, hours * 45)


def _correction(line: Line, chance: np.random.Generator) -> Line:
    withdrawn = chance.random() < 0.5
    return Line(
        subject=line.subject,
        time=line.time,
        value=None if withdrawn else 80.0,
        known=(line.known or line.time) + float(chance.uniform(1, 3 * HOUR / MINUTE)),
        status="entered-in-error" if withdrawn else "corrected",
        fact=line.fact,
    )


def _fact(line: Line) -> Fact:
    known = by_code().get(line.code)
    return Fact(
        key=line.fact or f"{line.subject}/{line.code}/{line.time}",
        subject_id=line.subject,
        code=line.code,
        time=at(line.time),
        available_time=at(line.time if line.known is None else line.known),
        available_basis="issued",
        value=line.value,
        unit=known.unit if known and line.value is not None else None,
        text=line.text,
        encounter_id=line.encounter,
        status=line.status,
    )
