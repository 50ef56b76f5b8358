"""The bedside monitor: a value a minute of each numeric (0 as "no value"), its alarms, and when it keeps waveforms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clinical_jepa.simulate.codes import NUMERICS
from clinical_jepa.simulate.course import Course
from clinical_jepa.simulate.patients import Array, Patients
from clinical_jepa.simulate.physiology import VITALS

FRAMES = 62.5  # a second: the waveform record's frame rate
_ROW = {name: row for row, name in enumerate(VITALS)}
_SOURCE = (("hr", 1.0), ("hr", 0.8), ("rr", 1.0), ("spo2", 0.5), ("sbp", 2.0), ("dbp", 1.5), ("map", 1.5))
_COLUMN = {name: column for column, (name, _, _) in enumerate(NUMERICS)}
# what goes off, which columns lose their value, how often a day, minutes from, to
_LOST = (((0, 2), 1.0, 3, 20), ((1, 3), 2.0, 2, 15), ((4, 5, 6), 1.0, 2, 12))
# alarm, column, low limit (0: none), high limit
_LIMITS = (
    ("ABP LOW", "ABPMean", 58, 999),
    ("HR HIGH", "HR", 0, 135),
    ("HR LOW", "HR", 42, 999),
    ("SPO2 LOW", "SpO2", 86, 999),
)
_QUIET = 30  # minutes before the same alarm sounds again


class Alarm(NamedTuple):
    """An alarm at a frame of the record."""

    frame: int
    name: str


def numerics(course: Course, patients: Patients, i: int, rng: np.random.Generator) -> Array:
    """``[minutes of the stay, 7]`` in the order of NUMERICS (the last three only with an arterial line); 0: no value."""
    first, last = int(patients.admitted[i]), min(int(patients.left[i]), len(course.fio2))
    rows = [_ROW[name] for name, _ in _SOURCE]
    spread = np.array([noise for _, noise in _SOURCE])
    values: Array = course.vitals[first:last, rows, i] + spread * rng.standard_normal((last - first, len(rows)))
    values[:, 3] = np.minimum(values[:, 3], 100)
    values = np.round(np.maximum(values, 1.0), 1)
    for minute in _moments(rng, 2.0, len(values)):  # the line is flushed: a square wave of high pressure
        values[minute, 4:] = np.round(rng.uniform(180, 280, 3), 1)
    for columns, per_day, shortest, longest in _LOST:
        for minute in _moments(rng, per_day, len(values)):
            values[minute : minute + int(rng.integers(shortest, longest)), columns] = 0
    values[rng.random(values.shape) < 0.004] = 0
    return values if patients.arterial_line[i] else values[:, :4]


def _moments(rng: np.random.Generator, per_day: float, minutes: int) -> list[int]:
    return [int(minute) for minute in rng.integers(0, minutes, rng.poisson(per_day * minutes / 1440))]


def alarms(values: Array, rng: np.random.Generator) -> list[Alarm]:
    """Limit alarms at the end of the minute that broke the limit, technical ones, and a few that are false."""
    found: list[tuple[float, str]] = []
    for name, signal, low, high in _LIMITS:
        column = _COLUMN[signal]
        if column < values.shape[1]:
            value = values[:, column]
            found += _spaced(np.flatnonzero((value > 0) & ((value < low) | (value > high))), name)
    off = values[:, 0] == 0
    found += _spaced(np.flatnonzero(off[1:] & off[:-1] & ~np.concatenate(([False], off[:-2]))) + 1, "ECG LEADS OFF")
    found += [(minute, "ASYSTOLE") for minute in _moments(rng, 0.4, len(values))]
    wait = rng.uniform(0.05, 0.3, len(found))
    inside = [
        (60 * (minute + 1 + w), name) for (minute, name), w in zip(found, wait, strict=True) if minute + 2 < len(values)
    ]
    return [Alarm(round(second * FRAMES), name) for second, name in sorted(inside)]


def _spaced(minutes: Array, name: str) -> list[tuple[float, str]]:
    """The first minute of each crowd."""
    found: list[tuple[float, str]] = []
    for minute in minutes.tolist():
        if not found or minute - found[-1][0] >= _QUIET:
            found.append((minute, name))
    return found


def strips(minutes: int, raised: list[Alarm], starts: list[int], rng: np.random.Generator) -> list[tuple[int, int]]:
    """``[first, last)`` minutes of the stay with waveforms: one an hour, two at up to six alarms, three at each start."""
    kept = {hour + int(rng.integers(0, min(60, minutes - hour))) for hour in range(0, minutes, 60)}
    at = [int(alarm.frame / FRAMES // 60) for alarm in raised]
    if len(at) > 6:
        at = sorted(rng.choice(at, 6, replace=False).tolist())
    kept |= {minute + more for minute in at for more in (-1, 0)}
    kept |= {minute + more for minute in starts[:4] for more in (-1, 0, 1)}
    whole = sorted(minute for minute in kept if 0 <= minute < minutes)
    breaks = [k for k in range(1, len(whole)) if whole[k] != whole[k - 1] + 1]
    edges = zip([0, *breaks], [*breaks, len(whole)], strict=True)
    return [(whole[a], whole[b - 1] + 1) for a, b in edges if b > a]
