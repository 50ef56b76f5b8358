"""The nurse's and the laboratory's record: what is written down, when, and what goes wrong on the way.

Seconds count from the ward's start. A value charted at a whole minute is that of the minute that ends there. Imperfections,
each by the patient's own stream: results issued long after they were drawn, rounds entered hours later, corrections,
entries in error, silent edits, the same line twice. Nothing is written that would be issued after the ward's end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clinical_jepa.simulate import labs
from clinical_jepa.simulate.codes import ITEMS
from clinical_jepa.simulate.course import CHARTED, Course, round_minutes
from clinical_jepa.simulate.patients import Patients
from clinical_jepa.simulate.physiology import VITALS

_LATE_ROUND = 0.04
_CORRECTED, _IN_ERROR, _SILENT, _TWICE = 0.008, 0.011, 0.012, 0.017  # cumulative
_CHEMISTRY = ("creatinine", "bun", "potassium", "sodium", "glucose", "bicarbonate")
_BLOOD_COUNT = ("wbc", "hemoglobin", "platelets")
_GAS = ("lactate", "ph", "pao2", "paco2")
_SPREAD = {
    "lactate": 0.05,
    "ph": 0.0012,
    "pao2": 0.03,
    "paco2": 0.03,
    "sodium": 0.006,
    "potassium": 0.02,
    "bicarbonate": 0.03,
}
_COLUMN = {name: column for column, name in enumerate(labs.NAMES)}
_PRESSURES = tuple(VITALS.index(name) for name in ("sbp", "dbp", "map"))


class Written(NamedTuple):
    """One version of one Observation. ``values``: one number, or systolic, diastolic and mean of a panel."""

    key: str
    name: str  # of codes.ITEMS, or "bp"
    start: int | None  # of a total; None for what is true at one moment
    second: int  # when it was true; the end of a total
    values: tuple[float, ...]
    text: str | None
    issued: int
    version: int = 1
    status: str = "final"
    copies: int = 1


class Draft(NamedTuple):
    """An Observation as it ought to be, before anything goes wrong."""

    name: str
    second: int
    values: tuple[float, ...]
    issued: int
    start: int | None = None
    text: str | None = None


def write(course: Course, patients: Patients, i: int, rng: np.random.Generator) -> list[Written]:
    """All versions of all Observations of patient ``i``; at most one in a hundred goes wrong."""
    drafts = [*_measures(patients, i), *_vitals(course, i, rng), *_oxygen(course, patients, i)]
    drafts += [*_minds_and_urine(course, patients, i, rng), *_gases(course, i, rng), *_panels(course, patients, i, rng)]
    end = 60 * len(course.fio2)
    written: list[Written] = []
    for number, draft in enumerate(drafts):
        written += _versions(f"{number:04d}", draft, rng)
    return [row for row in written if row.issued <= end]


def rounded(name: str, value: float) -> float:
    """The value with the decimals that are written."""
    return round(float(value), ITEMS[name].decimals) + 0.0


def _measures(patients: Patients, i: int) -> list[Draft]:
    second = 60 * (int(patients.admitted[i]) + 12)
    weight, height = float(patients.weight[i]), float(patients.height[i])
    return [Draft("weight", second, (weight,), second + 60), Draft("height", second, (height,), second + 60)]


def _vitals(course: Course, i: int, rng: np.random.Generator) -> list[Draft]:
    """Each round's values; temperature at most every three hours; one value in 25 is not taken."""
    drafts: list[Draft] = []
    warm = -(10**6)
    for minute in np.flatnonzero(np.isfinite(course.charted[:, 0, i])).tolist():
        second = 60 * (minute + 1)
        late = rng.random() < _LATE_ROUND
        issued = second + int(rng.uniform(3600, 5 * 3600) if late else rng.uniform(10, 180))
        taken = rng.random(len(CHARTED) + 1) > 0.04
        for column, (name, _, _) in enumerate(CHARTED):
            value = float(course.charted[minute, column, i])
            if name == "map":
                values = _panel(course, minute, i, value, rng)
                drafts += [Draft("bp", second, values, issued)] * bool(taken[column])
            elif name != "temp" or minute - warm >= 180:
                warm = minute if name == "temp" else warm
                drafts += [Draft(name, second, (rounded(name, value),), issued)] * bool(taken[column])
    return drafts


def _panel(course: Course, minute: int, i: int, mean: float, rng: np.random.Generator) -> tuple[float, ...]:
    """Systolic, diastolic and mean pressure around the charted mean."""
    true = course.vitals[minute, _PRESSURES, i]
    sys, dia = true[:2] + (mean - true[2]) + rng.normal(0, 1.5, 2)
    return rounded("sbp", max(sys, mean + 4)), rounded("dbp", min(dia, mean - 3)), rounded("map", mean)


def _oxygen(course: Course, patients: Patients, i: int) -> list[Draft]:
    """Every change of the inspired oxygen, and a look at it every four hours."""
    first, last = int(patients.admitted[i]), min(int(patients.left[i]), len(course.fio2))
    track = course.fio2[:, i]
    changes = (np.flatnonzero(np.diff(track[first:last])) + first + 1).tolist()
    times = sorted({*changes, *range(first + 10, last, 240)})
    return [Draft("fio2", 60 * (minute + 1), (float(track[minute]),), 60 * (minute + 1) + 40) for minute in times]


def _minds_and_urine(course: Course, patients: Patients, i: int, rng: np.random.Generator) -> list[Draft]:
    """Consciousness and the urine of the last four hours, every four hours."""
    first, last = int(patients.admitted[i]), min(int(patients.left[i]), len(course.fio2))
    drafts = []
    for minute in range(first + 240, last, 240):
        second = 60 * (minute + 1)
        ill = float(course.latent[minute, 1, i]) + rng.normal(0, 0.08)
        score = float(np.clip(15 - np.floor(3.2 * max(ill - 0.45, 0) * 2), 9, 15))
        word = "A" if score >= 14 else "C" if score >= 13 else "V" if score >= 11 else "P"
        perfusion = np.clip(course.vitals[minute - 240 : minute, 1, i].mean() / patients.map0[i], 0.3, 1.1)
        amount = max(4 * float(patients.weight[i]) * 0.9 * float(perfusion) ** 3 * rng.lognormal(0, 0.25), 5.0)
        drafts.append(Draft("gcs", second, (score,), second + 90))
        drafts.append(Draft("acvpu", second, (), second + 90, text=word))
        drafts.append(Draft("urine", second, (rounded("urine", amount),), second + 240, start=second - 4 * 3600))
    return drafts


def _gases(course: Course, i: int, rng: np.random.Generator) -> list[Draft]:
    drafts: list[Draft] = []
    for minute in np.flatnonzero(course.gas_drawn[:, i]).tolist():
        drafts += _drawn(course, i, minute, _GAS, rng)
    return drafts


def _panels(course: Course, patients: Patients, i: int, rng: np.random.Generator) -> list[Draft]:
    drafts: list[Draft] = []
    rounds = round_minutes(patients, len(course.fio2), i, int(patients.labs_every[i]))
    for turn, minute in enumerate(rounds.tolist()):
        drafts += _drawn(course, i, minute, _CHEMISTRY, rng)
        drafts += _drawn(course, i, minute, _BLOOD_COUNT + (("crp",) if turn % 2 == 0 else ()), rng)
    return drafts


def _drawn(course: Course, i: int, minute: int, items: tuple[str, ...], rng: np.random.Generator) -> list[Draft]:
    """A tube: all its results are issued together, 20 to 90 minutes after it was drawn."""
    second = 60 * (minute + 1)
    issued = second + int(rng.uniform(20, 45 if items is _GAS else 90) * 60)
    noise = rng.standard_normal(len(items))
    drafts = []
    for name, z in zip(items, noise, strict=True):
        value = float(course.blood[minute, _COLUMN[name], i]) * (1 + _SPREAD.get(name, 0.04) * z)
        drafts.append(Draft(name, second, (rounded(name, value),), issued))
    return drafts


def _versions(key: str, draft: Draft, rng: np.random.Generator) -> list[Written]:
    """The versions that end up in the files."""
    luck = rng.random()
    right = Written(key, draft.name, draft.start, draft.second, draft.values, draft.text, draft.issued)
    if luck >= _TWICE or not draft.values or draft.name in ("weight", "height"):
        return [right]
    if luck >= _SILENT:
        return [right._replace(copies=2)]
    later = draft.issued + int(rng.uniform(20 * 60, 180 * 60))
    wrong = right._replace(values=_mistaken(draft, rng))
    if luck < _CORRECTED:
        return [wrong, right._replace(issued=later, version=2, status="corrected")]
    if luck < _IN_ERROR:
        return [wrong, wrong._replace(issued=later, version=2, status="entered-in-error")]
    return [wrong, right._replace(issued=later, version=2)]


def _mistaken(draft: Draft, rng: np.random.Generator) -> tuple[float, ...]:
    """The values with a slip of the pen that is still plausible."""
    if draft.name in ("ph", "temp"):
        return (rounded(draft.name, draft.values[0] + (-0.1 if draft.name == "ph" else 1.1)),)
    factor = 1 + rng.uniform(0.12, 0.3) * (-1 if rng.random() < 0.5 or draft.name in ("spo2", "gcs") else 1)
    part = "map" if draft.name == "bp" else draft.name
    limits = {"spo2": (60.0, 100.0), "gcs": (3.0, 15.0), "fio2": (21.0, 100.0)}.get(part, (0.0, 1e6))
    return tuple(float(np.clip(rounded(part, value * factor), *limits)) for value in draft.values)
