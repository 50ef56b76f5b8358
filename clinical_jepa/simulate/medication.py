"""What was given: infusions as one record a rate, boluses and doses as totals. Seconds after the ward's start."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clinical_jepa.simulate.course import Course
from clinical_jepa.simulate.patients import Patients
from clinical_jepa.simulate.treatments import BOLUS_MINUTES, BOLUS_ML

DOSE_MINUTES = 30


class Infusion(NamedTuple):
    """A rate from ``start`` to ``end``; ``end`` None while it runs at the ward's end, ``last`` where none follows."""

    start: int
    end: int | None
    rate: float
    last: bool


class Dose(NamedTuple):
    """A total given from ``start`` to ``end``: mL of crystalloid, or g of the antibiotic number ``drug``."""

    start: int
    end: int
    drug: int | None
    amount: float


def infusions(course: Course, i: int) -> list[Infusion]:
    """The norepinephrine of patient ``i``, in order."""
    track = np.round(course.pressor[:, i].astype(float), 2)
    edges = np.flatnonzero(np.diff(np.concatenate(([0.0], track)))).tolist()
    found = []
    for start, end in zip(edges, [*edges[1:], None], strict=False):
        if track[start] > 0:
            last = end is not None and track[end] == 0
            found.append(Infusion(60 * start, None if end is None else 60 * end, float(track[start]), last))
    return found


def doses(course: Course, patients: Patients, i: int) -> list[Dose]:
    """Boluses and antibiotics of patient ``i`` that were complete before the ward's end."""
    end = 60 * len(course.fio2)
    found = []
    for minute in np.flatnonzero(course.boluses[:, i]).tolist():
        found.append(Dose(60 * minute, 60 * (minute + BOLUS_MINUTES), None, float(BOLUS_ML)))
    drug = int(patients.number[i]) % 3
    for minute in np.flatnonzero(course.doses[:, i]).tolist():
        found.append(Dose(60 * minute, 60 * (minute + DOSE_MINUTES), drug, 0.0))
    return [dose for dose in found if dose.end <= end]
