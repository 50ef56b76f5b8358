"""What befalls the patients: infections, failing lungs, harmless episodes that look alike, and noise.

All is drawn before the ward runs, from each patient's own streams, so that the same fate can be replayed under other
treatment (the counterfactual truth).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from clinical_jepa.simulate.patients import Array, Patients, stream

NOISES = 18  # standard normals a minute: see physiology.OU (8), charting of vitals (6) and labs (4)
NEVER = 10**9


@dataclass(frozen=True, kw_only=True)
class Insults:
    """``[n]``: start in ward minutes (``NEVER``), growth per hour, height, and hours until it wanes by itself."""

    sepsis_start: Array
    sepsis_growth: Array
    sepsis_height: Array
    sepsis_hours: Array
    lung_start: Array
    lung_growth: Array
    lung_height: Array
    lung_hours: Array
    kill: Array  # effect of antibiotics per hour


@dataclass(frozen=True, kw_only=True)
class Fate:
    """``insults``; harmless episodes ``[minutes, n]`` (pain 0 to 1, fever Cel, desaturation, pressure dip mmHg);
    ``noise`` ``[minutes, NOISES, n]``; ``chance`` ``[minutes, n]`` in [0, 1)."""

    insults: Insults
    pain: Array
    fever: Array
    desaturation: Array
    dip: Array
    noise: Array
    chance: Array


def draw(seed: int, patients: Patients, minutes: int) -> Fate:
    """The fate of each patient."""
    n = len(patients)
    noise = np.empty((n, minutes, NOISES), np.float32)
    chance = np.empty((n, minutes), np.float32)
    episodes = np.zeros((4, n, minutes), np.float32)
    rows = []
    for i in range(n):
        rng = stream(seed, int(patients.number[i]), "insults")
        rows.append(_insults(rng, int(patients.admitted[i]), int(patients.left[i])))
        _episodes(rng, episodes[:, i])
        rng = stream(seed, int(patients.number[i]), "noise")
        rng.standard_normal(out=noise[i], dtype=np.float32)
        rng.random(out=chance[i], dtype=np.float32)
    pain, fever, desaturation, dip = (np.ascontiguousarray(episode.T) for episode in episodes)
    return Fate(
        insults=Insults(**{field.name: np.array([row[field.name] for row in rows]) for field in fields(Insults)}),
        pain=pain,
        fever=fever,
        desaturation=desaturation,
        dip=dip,
        noise=np.ascontiguousarray(noise.transpose(1, 2, 0)),
        chance=np.ascontiguousarray(chance.T),
    )


def _insults(rng: np.random.Generator, admitted: int, left: int) -> dict[str, float]:
    """The start is uniform over the stay and the hours before it, so that no clock foretells it."""
    kind = rng.choice(["none", "sepsis", "lung", "both"], p=[0.30, 0.36, 0.28, 0.06])
    starts = rng.uniform(admitted - 10 * 60, left - 2 * 60, 2)
    row: dict[str, float] = {"kill": rng.uniform(0.35, 0.8)}
    for name, start in zip(("sepsis", "lung"), starts, strict=True):
        row[f"{name}_start"] = int(start) if kind in (name, "both") else NEVER
        row[f"{name}_growth"] = rng.uniform(0.32, 0.75)
        row[f"{name}_height"] = rng.uniform(0.55, 1.25)
        row[f"{name}_hours"] = rng.uniform(14, 26)
    return row


# name: (how many a day, minutes from, to, height from, to)
_EPISODES = (
    (2.0, 30, 180, 0.4, 1.0),  # pain, agitation, a visit: heart rate and pressure go up
    (0.4, 240, 720, 0.7, 1.9),  # fever without infection
    (1.2, 5, 25, 3.0, 8.0),  # a mucus plug, a turned patient: saturation dips
    (0.8, 15, 50, 6.0, 14.0),  # sedation, a change of position: pressure dips
)


def _episodes(rng: np.random.Generator, out: Array) -> None:
    """Adds half-sine bumps to ``[4, minutes]``."""
    minutes = out.shape[1]
    for row, (per_day, shortest, longest, low, high) in zip(out, _EPISODES, strict=True):
        for _ in range(rng.poisson(per_day * minutes / 1440)):
            start, length = int(rng.uniform(0, minutes)), int(rng.uniform(shortest, longest))
            bump = np.sin(np.linspace(0, np.pi, length)) * rng.uniform(low, high)
            row[start : start + length] += bump[: minutes - start].astype(np.float32)
