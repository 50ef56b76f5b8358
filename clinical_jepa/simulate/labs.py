"""Blood values: lagged followers of the state, in steps of ten minutes."""

from __future__ import annotations

import numpy as np

from clinical_jepa.simulate.patients import Array, Patients
from clinical_jepa.simulate.physiology import Body, Given, oxygen_pressure

EVERY = 10  # minutes
# name: time constant in hours with which the value follows its target (0: at once)
_LAG = {
    "lactate": 0.0,
    "pao2": 0.0,
    "paco2": 0.0,
    "ph": 0.0,
    "bicarbonate": 5.0,
    "creatinine": 20.0,
    "bun": 30.0,
    "potassium": 6.0,
    "sodium": 24.0,
    "glucose": 3.0,
    "wbc": 7.0,
    "hemoglobin": 10.0,
    "platelets": 22.0,
    "crp": 15.0,
}
NAMES = tuple(_LAG)
_SHARE = np.array([1.0 if lag == 0 else 1 - np.exp(-EVERY / 60 / lag) for lag in _LAG.values()])[:, None]


def at_rest(patients: Patients) -> Array:
    """Blood values ``[14, n]`` of the patients without any insult."""
    rest = np.empty((len(NAMES), len(patients)))
    wobble = np.sin(patients.number * 12.9898)  # a fixed, patient's own offset in [-1, 1]
    rest[:4] = np.array([[1.0], [90.0], [40.0], [7.4]])
    rest[4] = 24 + 4 * patients.copd
    rest[5] = 0.85 + 0.15 * wobble + 0.8 * patients.kidney
    rest[6] = 16 + 3 * wobble + 14 * patients.kidney
    rest[7] = 4.1 + 0.25 * wobble
    rest[8] = 139 + 2.5 * wobble
    rest[9] = 112 + 12 * wobble + 45 * patients.diabetes
    rest[10] = 8.5 + 2.2 * wobble
    rest[11] = 12.5 + 1.3 * wobble - 1.2 * patients.female
    rest[12] = 230 + 60 * wobble
    rest[13] = 18 + 14 * wobble
    return rest


def step(values: Array, body: Body, vitals: Array, given: Given, patients: Patients) -> Array:
    """Moves the values (in place) towards what the state asks for; a copy of them."""
    rest = at_rest(patients)
    ill, low = body.tone_loss, np.maximum(70 - vitals[1], 0) / 20
    kidneys = 0.5 * ill + 0.9 * low
    stale = 0.4 * (vitals[4] - patients.rr0)
    paco2 = 40 + 9 * patients.copd - stale + 26 * np.maximum(body.lung - 0.7, 0)
    target = rest.copy()
    target[0] = body.lactate
    target[1] = oxygen_pressure(body, given.fio2, patients)
    target[2] = np.clip(paco2, 20, 95)
    target[4] = np.clip(rest[4] - 1.1 * (body.lactate - 1), 8, 36)
    # Henderson-Hasselbalch
    target[3] = 6.1 + np.log10(values[4] / (0.0307 * target[2]))
    target[5] = rest[5] * (1 + 1.3 * kidneys)
    target[6] = rest[6] * (1 + 0.9 * kidneys)
    target[7] = rest[7] + 0.5 * kidneys
    target[9] = rest[9] + 45 * ill
    target[10] = rest[10] + 10 * ill + 5 * body.lung
    target[11] = rest[11] - 1.5 * np.maximum(-body.deficit, 0)
    target[12] = rest[12] * (1 - 0.45 * np.minimum(ill, 1.5))
    target[13] = rest[13] + 190 * ill + 120 * body.lung
    values += _SHARE * (target - values)
    return values.copy()
