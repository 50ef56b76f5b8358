"""A small body: infection, vascular tone, volume and lungs, and the vital signs that follow from them.

The latent state moves in steps of a minute, vectorised over patients ``[n]``. It is a teaching model of our own, made so
that truth and counterfactual truth are known; it is no model of any real patient. Saturation from oxygen pressure:
Severinghaus 1979 (J Appl Physiol 46:599).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clinical_jepa.simulate.insults import Fate
from clinical_jepa.simulate.patients import Array, Patients

# Ornstein-Uhlenbeck fluctuations: name, time constant in minutes, standard deviation
OU = (
    ("map_fast", 40, 2.5),
    ("map_slow", 360, 3.0),
    ("hr_fast", 30, 2.5),
    ("hr_slow", 300, 5.0),
    ("rr", 60, 1.3),
    ("shunt", 120, 0.05),
    ("temp", 240, 0.15),
    ("growth", 180, 0.35),
)
_DECAY = np.exp(-1.0 / np.array([row[1] for row in OU]))[:, None]
_KICK = np.array([row[2] for row in OU])[:, None] * np.sqrt(1 - _DECAY**2)

LATENT = ("infection", "tone_loss", "deficit", "lung", "antibiotic", "lactate")
VITALS = ("hr", "map", "sbp", "dbp", "rr", "spo2", "temp")
SEED = 0.04  # of an infection or a lung injury when it begins


@dataclass(frozen=True, kw_only=True)
class Given:
    """What treatment gives in this minute, ``[n]``: mL of crystalloid, ug/kg/min of norepinephrine, FiO2 in %, antibiotics
    0 or 1."""

    fluid: Array
    pressor: Array
    fio2: Array
    antibiotic: Array


@dataclass
class Body:
    """The latent state ``[n]`` and its fluctuations ``[8, n]``."""

    infection: Array
    tone_loss: Array
    deficit: Array
    lung: Array
    antibiotic: Array
    lactate: Array
    pressor: Array
    ou: Array


def at_rest(patients: Patients, fate: Fate) -> Body:
    """Bodies at the start of the ward; an insult that began before has already grown."""
    n = len(patients)
    zero = np.zeros(n)
    ou = np.array([row[2] for row in OU])[:, None] * fate.noise[0, : len(OU)]
    insults = fate.insults
    sepsis = _grown(-insults.sepsis_start, insults.sepsis_growth, insults.sepsis_height)
    lung = _grown(-insults.lung_start, insults.lung_growth, insults.lung_height)
    return Body(
        infection=sepsis,
        tone_loss=0.8 * sepsis,
        deficit=zero.copy(),
        lung=lung,
        antibiotic=zero.copy(),
        lactate=np.full(n, 1.0),
        pressor=zero.copy(),
        ou=ou,
    )


def _grown(minutes: Array, growth: Array, height: Array) -> Array:
    """The logistic curve after some minutes; 0 before its start."""
    age = np.clip(minutes, 0, 3000) * growth / 60
    return np.where(minutes > 0, height / (1 + (height / SEED - 1) * np.exp(-age)), 0.0)


def step(body: Body, minute: int, fate: Fate, given: Given, patients: Patients) -> Array:
    """Moves the bodies by a minute; the true vital signs of that minute, ``[7, n]`` in the order of VITALS."""
    body.ou = _DECAY * body.ou + _KICK * fate.noise[minute, : len(OU)]
    _latent(body, minute, fate, given)
    vitals = _vitals(body, minute, fate, given, patients)
    low = np.maximum(72 - vitals[1], 0) / 18 + np.maximum(88 - vitals[5], 0) / 15
    body.lactate += (0.9 + 1.6 * body.infection + 2.6 * low - body.lactate) / 150
    return vitals


def _latent(body: Body, minute: int, fate: Fate, given: Given) -> None:
    insults = fate.insults
    pace = np.maximum(1 + body.ou[7], 0) / 60
    body.antibiotic += (given.antibiotic - body.antibiotic) / 60
    kill = insults.kill * body.antibiotic
    body.infection += SEED * (insults.sepsis_start == minute)
    body.lung += SEED * (insults.lung_start == minute)
    waned = _waned(minute, insults.sepsis_start, insults.sepsis_hours)
    body.infection += (
        pace * insults.sepsis_growth * body.infection * (1 - body.infection / (insults.sepsis_height * waned))
    )
    body.infection -= kill * body.infection / 60
    waned = _waned(minute, insults.lung_start, insults.lung_hours)
    body.lung += pace * insults.lung_growth * body.lung * (1 - body.lung / (insults.lung_height * waned))
    body.lung -= 0.6 * kill * body.lung / 60
    np.maximum(body.infection, 0, out=body.infection)
    np.maximum(body.lung, 0, out=body.lung)
    body.tone_loss += (body.infection - body.tone_loss) / 75
    body.deficit += (0.13 * body.infection - 0.05 * body.deficit) / 60 - 0.3 * given.fluid / 500
    body.deficit = np.clip(body.deficit, -0.5, 1.2)
    body.pressor += (given.pressor - body.pressor) / 6


def _waned(minute: int, start: Array, hours: Array) -> Array:
    """The share of an insult's height that is left: whole for its hours, then halved every 8."""
    over = np.clip((minute - start) / 60 - hours, 0, 40)
    left: Array = np.maximum(0.5 ** (over / 8), 0.02)
    return left


def _vitals(body: Body, minute: int, fate: Fate, given: Given, patients: Patients) -> Array:
    ou, pain = body.ou, fate.pain[minute]
    lost = 0.36 * patients.tone_gain * body.tone_loss + 0.17 * np.maximum(body.deficit, -0.2)
    pressure = patients.map0 * (1 - lost) + 95 * body.pressor * (1 - 0.3 * body.tone_loss)
    pressure = np.clip(pressure + 9 * pain - fate.dip[minute] + ou[0] + ou[1], 25, 160)
    temp = patients.temp0 + patients.fever_gain * body.infection + fate.fever[minute] + ou[6]
    spo2 = saturation(oxygen_pressure(body, given.fio2, patients)) - fate.desaturation[minute]
    spo2 = np.clip(spo2, 50, 100)
    calm = 1 - 0.55 * patients.beta_blocker
    drive = 26 * body.infection + 0.5 * np.maximum(patients.map0 - pressure, 0) + 9 * np.maximum(temp - 37, 0)
    drive += 28 * pain + 0.8 * np.maximum(90 - spo2, 0) + 10 * body.lung
    hr = np.clip(patients.hr0 + calm * drive + ou[2] + ou[3], 35, 190)
    rr = patients.rr0 + 8 * body.infection + 11 * body.lung + 4 * pain + 0.4 * np.maximum(91 - spo2, 0) + ou[4]
    width = patients.pp0 * np.sqrt(pressure / patients.map0) * (1 - 0.25 * np.clip(body.deficit, 0, 1))
    return np.stack([hr, pressure, pressure + 2 / 3 * width, pressure - width / 3, np.clip(rr, 6, 50), spo2, temp])


def oxygen_pressure(body: Body, fio2: Array, patients: Patients) -> Array:
    """Arterial oxygen pressure in mmHg."""
    pressure: Array = patients.pf0 * np.exp(-1.75 * opacity(body) - body.ou[5]) * fio2 / 100
    return pressure


def opacity(body: Body) -> Array:
    """How full of fluid the lungs are: what a chest image shows."""
    filling: Array = body.lung + 0.22 * body.tone_loss + 0.25 * np.maximum(-body.deficit, 0)
    return filling


def saturation(pressure: Array) -> Array:
    """Oxygen saturation in % at an oxygen pressure in mmHg (Severinghaus 1979)."""
    percent: Array = 100 / (23400 / (pressure**3 + 150 * pressure) + 1)
    return percent
