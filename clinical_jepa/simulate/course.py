"""The ward runs: body, bedside chart and clinician, minute by minute, all patients at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clinical_jepa.simulate import labs, physiology, treatments
from clinical_jepa.simulate.insults import Fate
from clinical_jepa.simulate.patients import Array, Patients
from clinical_jepa.simulate.treatments import Policy

# Charted vitals: position in physiology.VITALS, and the spread of what a nurse reads and writes
CHARTED = (("hr", 0, 1.0), ("map", 1, 2.0), ("rr", 4, 1.2), ("spo2", 5, 0.6), ("temp", 6, 0.12))
_ROW = np.array([row[1] for row in CHARTED])
_SPREAD = np.array([row[2] for row in CHARTED])[:, None]
REPORT_DELAY = 45  # minutes from blood gas to the clinician's eye, as the policy has it


@dataclass(frozen=True, kw_only=True)
class Course:
    """What happened, float32 ``[minutes, …, n]``: latent state (LATENT plus opacity), true vitals, blood values (labs.NAMES),
    charted values (NaN where nothing was charted), and the treatments given."""

    latent: Array
    vitals: Array
    blood: Array
    charted: Array
    gas_drawn: Array  # bool [minutes, n]
    fio2: Array
    pressor: Array
    boluses: Array  # bool [minutes, n], starts
    doses: Array


def run(patients: Patients, fate: Fate, policy: Policy) -> Course:
    """The course of all patients under a policy; the same fate and policy give the same course."""
    minutes, n = fate.chance.shape
    course = _empty(minutes, n)
    body, orders, seen = physiology.at_rest(patients, fate), treatments.none(patients), treatments.unseen(patients)
    values = labs.at_rest(patients)
    rounds = rounds_of(patients, minutes, patients.vitals_every)
    gases = rounds_of(patients, minutes, patients.gas_every)
    course.gas_drawn[:] = gases
    extra = np.full(n, -1)
    for minute in range(minutes):
        given = treatments.decide(orders, seen, minute, patients, policy)
        vitals = physiology.step(body, minute, fate, given, patients)
        if minute % labs.EVERY == 0:
            now = labs.step(values, body, vitals, given, patients)
        course.blood[minute] = now
        _keep(course, minute, body, vitals, orders)
        seen.fresh = (rounds[minute] | (extra == minute)) & orders.present
        _chart(course, minute, vitals, seen, fate)
        if minute >= REPORT_DELAY:
            drawn = gases[minute - REPORT_DELAY]
            seen.lactate = np.where(drawn, course.latent[minute - REPORT_DELAY, 5], seen.lactate)
        extra = _again(extra, minute, seen, orders, fate)
    return course


def _empty(minutes: int, n: int) -> Course:
    def block(rows: int) -> Array:
        return np.empty((minutes, rows, n), np.float32)

    def flat(kind: type) -> Array:
        return np.zeros((minutes, n), kind)

    return Course(
        latent=block(len(physiology.LATENT) + 1),
        vitals=block(len(physiology.VITALS)),
        blood=block(len(labs.NAMES)),
        charted=np.full((minutes, len(CHARTED), n), np.nan, np.float32),
        gas_drawn=flat(bool),
        fio2=flat(np.float32),
        pressor=flat(np.float32),
        boluses=flat(bool),
        doses=flat(bool),
    )


def rounds_of(patients: Patients, minutes: int, every: Array) -> Array:
    """Every so many minutes from a quarter of an hour after admission on, each round up to a tenth of the interval late."""
    out = np.zeros((minutes, len(patients)), bool)
    for i in range(len(patients)):
        out[round_minutes(patients, minutes, i, int(every[i])), i] = True
    return out


def round_minutes(patients: Patients, minutes: int, i: int, every: int) -> Array:
    """The minutes of the rounds of patient ``i``."""
    last = min(int(patients.left[i]), minutes)
    times = np.arange(int(patients.admitted[i]) + 15, last, every)
    times = times + (times * 7919 + int(patients.number[i]) * 104729) % max(every // 10, 1)
    return times[times < last]


def _keep(course: Course, minute: int, body: physiology.Body, vitals: Array, orders: treatments.Orders) -> None:
    for row, name in enumerate(physiology.LATENT):
        course.latent[minute, row] = getattr(body, name)
    course.latent[minute, -1] = physiology.opacity(body)
    course.vitals[minute] = vitals
    course.fio2[minute] = treatments.FIO2[orders.fio2]
    course.pressor[minute] = orders.pressor
    course.boluses[minute] = orders.started_fluid
    course.doses[minute] = orders.started_dose


def _chart(course: Course, minute: int, vitals: Array, seen: treatments.Seen, fate: Fate) -> None:
    if not seen.fresh.any():
        return
    values = vitals[_ROW] + _SPREAD * fate.noise[minute, 8 : 8 + len(CHARTED)]
    values[3] = np.minimum(values[3], 100)
    for (name, _, _), row in zip(CHARTED, values, strict=True):
        setattr(seen, name, np.where(seen.fresh, row, getattr(seen, name)))
    course.charted[minute] = np.where(seen.fresh, values, np.nan)


def _again(extra: Array, minute: int, seen: treatments.Seen, orders: treatments.Orders, fate: Fate) -> Array:
    """Who is looked at again soon: half of those with a bad value, all with a very bad one or on a vasopressor."""
    bad = (seen.map < 65) | (seen.spo2 < 89)
    worse = (seen.map < 56) | (seen.spo2 < 84)
    again = seen.fresh & ((bad & (fate.chance[minute] < 0.5)) | worse | (orders.pressor > 0))
    return np.where(again, minute + 20 + np.int64(fate.chance[minute] * 37) % 20, extra)
