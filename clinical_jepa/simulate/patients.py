"""Who lies on the ward: baselines, comorbidities, habits of charting and treating. One random stream a patient."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from clinical_jepa.simulate.config import SimulateConfig, identifier

Array = np.ndarray
STREAMS = {"patient": 0, "insults": 1, "noise": 2, "charting": 3, "monitor": 4, "images": 5}


def stream(seed: int, number: int, name: str) -> np.random.Generator:
    """The random stream of one patient for one purpose: independent of every other patient and purpose."""
    return np.random.default_rng(np.random.SeedSequence([seed, number, STREAMS[name]]))


@dataclass(frozen=True, kw_only=True)
class Patients:
    """Arrays ``[n]``. Pressures in mmHg, times in minutes of the ward, intervals and delays in minutes."""

    number: Array
    age: Array
    female: Array
    weight: Array
    height: Array
    copd: Array
    hypertension: Array
    beta_blocker: Array
    athlete: Array
    kidney: Array
    diabetes: Array
    fibrillation: Array
    hr0: Array  # resting heart rate
    map0: Array  # mean arterial pressure
    pp0: Array  # pulse pressure
    rr0: Array
    pf0: Array  # PaO2 / FiO2 with healthy lungs
    temp0: Array
    fever_gain: Array  # Cel at full infection; can be below 0
    tone_gain: Array  # how much of the vascular tone an infection takes
    admitted: Array
    left: Array
    vitals_every: Array
    labs_every: Array
    gas_every: Array
    attention: Array  # delay of a decision after a value was seen
    antibiotic_delay: Array
    arterial_line: Array

    def __len__(self) -> int:
        return len(self.number)


def draw(config: SimulateConfig, numbers: range) -> Patients:
    """The patients with these numbers; each is the same whoever else is drawn."""
    rows = [_one(config, number) for number in numbers]
    return Patients(**{field.name: np.array([row[field.name] for row in rows]) for field in fields(Patients)})


def _one(config: SimulateConfig, number: int) -> dict[str, float]:
    rng = stream(config.seed, number, "patient")
    age = float(np.clip(rng.normal(64, 16), 19, 95))
    female = rng.random() < 0.45
    height = rng.normal(164 if female else 177, 7)
    row = {
        "number": number,
        "age": age,
        "female": female,
        "height": round(height),
        "weight": round(float(np.clip(rng.normal(26.5, 4.5), 17, 45)) * (height / 100) ** 2, 1),
    }
    row |= _history(rng, age)
    return row | _baselines(rng, row) | _habits(rng) | _stay(rng, config)


def _history(rng: np.random.Generator, age: float) -> dict[str, bool]:
    old = (age - 40) / 50
    chances = {"copd": 0.17, "hypertension": 0.15 + 0.3 * old, "kidney": 0.12, "diabetes": 0.2, "fibrillation": 0.08}
    row = {name: bool(rng.random() < chance) for name, chance in chances.items()}
    row["beta_blocker"] = bool(rng.random() < (0.5 if row["hypertension"] else 0.1))
    row["athlete"] = bool(rng.random() < 0.12) and age < 60 and not row["beta_blocker"]
    return row


def _baselines(rng: np.random.Generator, row: dict[str, float]) -> dict[str, float]:
    hr0 = rng.normal(82, 12) - 15 * row["beta_blocker"] - 22 * row["athlete"]
    map0 = rng.normal(86, 6) + 14 * row["hypertension"] - 3 * row["athlete"]
    return {
        "hr0": float(np.clip(hr0, 46, 108)),
        "map0": float(np.clip(map0, 78, 120)),
        "pp0": float(np.clip(rng.normal(46 + 10 * row["hypertension"], 7), 30, 80)),
        "rr0": float(np.clip(rng.normal(16.5, 2.8) + 4 * row["copd"], 10, 27)),
        "pf0": float(np.clip(rng.normal(300 if row["copd"] else 430, 20), 265, 480)),
        "temp0": rng.normal(36.8, 0.2),
        "fever_gain": rng.uniform(-0.4, 2.0) - 0.5 * (row["age"] > 75),
        "tone_gain": float(np.clip(rng.normal(1, 0.12), 0.7, 1.3)),
    }


def _habits(rng: np.random.Generator) -> dict[str, float]:
    return {
        "vitals_every": int(rng.choice([30, 60, 60, 60, 90, 120, 120, 240])),
        "labs_every": int(rng.choice([360, 480, 720])),
        "gas_every": int(rng.choice([240, 360, 480, 720])),
        "attention": int(np.clip(rng.lognormal(3.2, 0.5), 8, 90)),
        "antibiotic_delay": int(np.clip(rng.lognormal(4.9, 0.6), 40, 480)),
        "arterial_line": bool(rng.random() < 0.85),
    }


def _stay(rng: np.random.Generator, config: SimulateConfig) -> dict[str, int]:
    """Admission in the first hours; one in six leaves in the second half, whatever the state."""
    hours = config.hours
    admitted = int(rng.uniform(0, 60 * min(8.0, hours / 6)))
    early = rng.random() < 1 / 6
    left = int(rng.uniform(0.5, 1.0) * config.minutes) if early else config.minutes
    return {"admitted": admitted, "left": max(left, admitted + config.minutes // 3)}


def names(config: SimulateConfig, patients: Patients) -> list[str]:
    """The record numbers of the patients."""
    return [identifier(config.seed, int(number)) for number in patients.number]
