"""A clinician: acts on what was charted, some time after it was seen, and never on the latent state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clinical_jepa.simulate.patients import Array, Patients
from clinical_jepa.simulate.physiology import Given

FIO2 = np.array([21, 28, 35, 40, 50, 60, 80, 100])
BOLUS_ML, BOLUS_MINUTES = 500, 30
DOSE_EVERY = 8 * 60
_LATER = np.iinfo(np.int64).max // 2


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Which treatments this clinician has; without one of them the counterfactual truth is computed."""

    pressor: bool = True
    fluids: bool = True
    antibiotics: bool = True


@dataclass
class Seen:
    """The newest charted values ``[n]`` and whether they are of this minute."""

    hr: Array
    map: Array
    rr: Array
    spo2: Array
    temp: Array
    lactate: Array
    fresh: Array


@dataclass
class Orders:
    """What runs and what was decided, ``[n]``; ``*_due`` is the minute at which a decision is carried out."""

    present: Array
    fluid_until: Array
    fluid_due: Array
    boluses: Array
    pressor: Array
    pressor_due: Array
    fio2: Array  # position in FIO2
    fio2_due: Array
    fio2_move: Array
    dose_next: Array
    dose_last: Array
    started_fluid: Array
    started_dose: Array


def none(patients: Patients) -> Orders:
    """Nothing ordered; patients whose lungs are known to be poor already have some oxygen."""
    n = len(patients)
    later = np.full(n, _LATER, np.int64)
    flag = np.zeros(n, bool)
    return Orders(
        present=flag.copy(),
        fluid_until=np.full(n, -(10**6), np.int64),
        fluid_due=later.copy(),
        boluses=np.zeros(n, int),
        pressor=np.zeros(n),
        pressor_due=later.copy(),
        fio2=np.where(patients.copd, 1, 0) + (patients.number % 4 == 0),
        fio2_due=later.copy(),
        fio2_move=np.zeros(n, int),
        dose_next=later.copy(),
        dose_last=np.full(n, -(10**6), np.int64),
        started_fluid=flag.copy(),
        started_dose=flag.copy(),
    )


def unseen(patients: Patients) -> Seen:
    """Nothing charted yet: comparisons with NaN are false."""
    n = len(patients)
    hr, mean, rr, spo2, temp, lactate = np.full((6, n), np.nan)
    return Seen(hr, mean, rr, spo2, temp, lactate, np.zeros(n, bool))


def decide(orders: Orders, seen: Seen, minute: int, patients: Patients, policy: Policy) -> Given:
    """Carries out what is due, decides on what was seen, and gives this minute's treatment."""
    orders.present = (patients.admitted <= minute) & (minute < patients.left)
    fluid = _fluids(orders, seen, minute, patients, policy)
    _pressor(orders, seen, minute, patients, policy)
    _oxygen(orders, seen, minute, patients)
    _antibiotics(orders, seen, minute, patients, policy)
    covered = (minute < orders.dose_last + DOSE_EVERY) * 1.0
    return Given(fluid=fluid, pressor=orders.pressor, fio2=FIO2[orders.fio2], antibiotic=covered)


def _fluids(orders: Orders, seen: Seen, minute: int, patients: Patients, policy: Policy) -> Array:
    """A bolus for a low pressure, or for a high lactate with a quick pulse; at most six."""
    want = (seen.map < 67) | ((seen.lactate > 2.4) & (seen.hr > 100))
    idle = (orders.fluid_due == _LATER) & (minute > orders.fluid_until + 75) & (orders.boluses < 6)
    orders.fluid_due = np.where(want & idle & orders.present, minute + patients.attention, orders.fluid_due)
    start = (minute >= orders.fluid_due) & orders.present & policy.fluids
    orders.fluid_until = np.where(start, minute + BOLUS_MINUTES, orders.fluid_until)
    orders.fluid_due = np.where(minute >= orders.fluid_due, _LATER, orders.fluid_due)
    orders.boluses += start
    orders.started_fluid = start
    return np.where(minute < orders.fluid_until, BOLUS_ML / BOLUS_MINUTES, 0.0)


def _pressor(orders: Orders, seen: Seen, minute: int, patients: Patients, policy: Policy) -> None:
    """Norepinephrine when fluids did not help or pressure is very low; then by each new value, in steps."""
    off = orders.pressor == 0
    want = off & seen.fresh & ((seen.map < 60) | ((seen.map < 64) & (orders.boluses > 0)))
    idle = orders.pressor_due == _LATER
    orders.pressor_due = np.where(want & idle & orders.present, minute + patients.attention, orders.pressor_due)
    start = off & (minute >= orders.pressor_due) & orders.present & policy.pressor
    orders.pressor_due = np.where(minute >= orders.pressor_due, _LATER, orders.pressor_due)
    change = np.where(seen.map < 65, 0.04, np.where(seen.map > 74, -0.04, 0.0)) * (seen.fresh & ~off)
    rate = np.round(np.clip(orders.pressor + change, 0, 0.8), 2) + 0.08 * start
    orders.pressor = np.where(orders.present, rate, 0.0)


def _oxygen(orders: Orders, seen: Seen, minute: int, patients: Patients) -> None:
    """Steps up below the target, more the further, one down well above it; the target is lower in COPD."""
    low, high = np.where(patients.copd, 88, 92), np.where(patients.copd, 93.5, 97)
    move = np.where(seen.spo2 < low, 1, np.where((seen.spo2 > high) & (orders.fio2 > 0), -1, 0)) * seen.fresh
    move = np.where(seen.spo2 < low - 4, 2 * move, move) + 2 * ((seen.spo2 < low - 8) & seen.fresh)
    take = (move != 0) & (orders.fio2_due == _LATER) & orders.present
    orders.fio2_move = np.where(take, move, orders.fio2_move)
    orders.fio2_due = np.where(take, minute + patients.attention // 3 + 2, orders.fio2_due)
    due = minute >= orders.fio2_due
    orders.fio2 = np.clip(orders.fio2 + np.where(due, orders.fio2_move, 0), 0, len(FIO2) - 1)
    orders.fio2_due = np.where(due, _LATER, orders.fio2_due)


def _antibiotics(orders: Orders, seen: Seen, minute: int, patients: Patients, policy: Policy) -> None:
    """For fever with a quick pulse, or a high lactate; the first dose after this clinician's delay, then every 8 h."""
    want = ((seen.temp > 38.2) & (seen.hr > 98)) | (seen.lactate > 2.3) | (seen.map < 62)
    idle = orders.dose_next == _LATER
    orders.dose_next = np.where(want & idle & orders.present, minute + patients.antibiotic_delay, orders.dose_next)
    dose = (minute >= orders.dose_next) & orders.present & policy.antibiotics
    orders.started_dose = dose
    orders.dose_last = np.where(dose, minute, orders.dose_last)
    orders.dose_next = np.where(dose, minute + DOSE_EVERY, orders.dose_next)
