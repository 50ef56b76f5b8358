"""R: for each code its newest value, when, how often, its slope and decayed mean and variance. Exact, nothing learned.

With T the newest time of a code's values, item i weighs ``2^((t_i - T) / half-life)``, so a late item counts by its age
and the result does not depend on when it came. All statistics are those of the weighted sample:
mean and spread by West's update (1979), the slope by weighted least squares at ``SLOPE_HALF_LIFE``.
"""

from __future__ import annotations

import numpy as np

from clinical_jepa.records.instant import BEGINNING, HOUR
from clinical_jepa.vocabulary.codes import codes

HALF_LIVES = np.array([1.0, 6.0, 24.0])  # hours
SLOPE = 1  # the half-life of the slope and of the recent count: 6 h
NOT_SEEN = BEGINNING

PER_CODE = ("seen", "last", "age", "slope", "mean_1h", "mean_6h", "mean_24h", "sd_6h", "sd_24h", "recent", "count")
GENERAL = ("stay_hours", "patient_years")

LAYOUT = [  # of one code
    ("seen", "<i8"),  # newest time of any row of the code
    ("count", "<i8"),
    ("at", "<i8"),  # newest time of a row with a value, T
    ("last", "<f8"),
    ("weight", "<f8", 3),
    ("mean", "<f8", 3),
    ("spread", "<f8", 3),  # weighted sum of squared deviations
    ("t1", "<f8"),  # weighted sums over τ = (t_i - T) in hours, for the slope: Σ w τ,
    ("t2", "<f8"),  # Σ w τ²,
    ("tx", "<f8"),  # Σ w τ (x - reference)
    ("reference", "<f8"),  # the first value ever, so that tx does not cancel
]


def clear(registers: np.ndarray) -> None:
    """Empties, in place, records of ``LAYOUT``."""
    registers[...] = np.zeros((), dtype=registers.dtype)
    registers["seen"] = registers["at"] = NOT_SEEN
    registers["last"] = np.nan


def update(registers: np.ndarray, *, row: np.ndarray, code: np.ndarray, time: np.ndarray, value: np.ndarray) -> None:
    """Adds items, in place, to ``registers [R, codes]``; items of one (row, code) in the order given."""
    key = row * registers.shape[1] + code
    order = np.argsort(key, kind="stable")
    start = np.flatnonzero(np.diff(key[order], prepend=-1))
    rank = np.arange(len(key)) - np.repeat(start, np.diff(start, append=len(key)))
    by_rank = order[np.argsort(rank, kind="stable")]
    for chosen in np.split(by_rank, np.cumsum(np.bincount(rank))[:-1]) if len(key) else ():
        r, c = row[chosen], code[chosen]
        registers[r, c] = _seen(registers[r, c], time[chosen])
        has = np.isfinite(value[chosen])
        r, c, valued = r[has], c[has], chosen[has]
        registers[r, c] = _measured(registers[r, c], time[valued], value[valued])


def _seen(old: np.ndarray, time: np.ndarray) -> np.ndarray:
    old["seen"] = np.maximum(old["seen"], time)
    old["count"] += 1
    return old


def _measured(old: np.ndarray, time: np.ndarray, value: np.ndarray) -> np.ndarray:
    first = old["at"] == NOT_SEEN
    old["at"][first] = time[first]
    old["reference"][first] = value[first]
    newest = np.maximum(old["at"], time)
    moved = (newest - old["at"]) / HOUR
    tau = (time - newest) / HOUR  # 0, or below for a late item
    keep = np.exp2(-moved[:, None] / HALF_LIVES)
    weight = np.exp2(tau[:, None] / HALF_LIVES)
    delta = value[:, None] - old["mean"]
    centred = old["mean"][:, SLOPE] - old["reference"]
    total = old["weight"] * keep + weight
    mean = old["mean"] + np.where(total > 0, weight / np.where(total > 0, total, 1.0), 0.0) * delta
    w, k, s0 = weight[:, SLOPE], keep[:, SLOPE], old["weight"][:, SLOPE]
    old["tx"] = (old["tx"] - moved * s0 * centred) * k + w * tau * (value - old["reference"])
    old["t2"] = (old["t2"] - 2 * moved * old["t1"] + moved**2 * s0) * k + w * tau**2
    old["t1"] = (old["t1"] - moved * s0) * k + w * tau
    old["spread"] = old["spread"] * keep + weight * delta * (value[:, None] - mean)
    old["weight"], old["mean"] = total, mean
    old["last"] = np.where(time >= old["at"], value, old["last"])
    old["at"] = newest
    return old


def slope(registers: np.ndarray) -> np.ndarray:
    """Change an hour of each code, by weighted least squares; 0 where the times do not differ."""
    s0, mean = registers["weight"][..., SLOPE], registers["mean"][..., SLOPE] - registers["reference"]
    determinant = s0 * registers["t2"] - registers["t1"] ** 2
    numerator = s0 * registers["tx"] - registers["t1"] * s0 * mean
    solid = determinant > 1e-9 * np.maximum(s0**2, 1e-300)
    return np.asarray(np.where(solid, numerator / np.where(solid, determinant, 1.0), 0.0))


def sd(registers: np.ndarray) -> np.ndarray:
    """Weighted standard deviation ``[…, 3]`` at the half-lives; 0 where there is no value."""
    weight = registers["weight"]
    return np.asarray(np.sqrt(np.maximum(registers["spread"], 0.0) / np.where(weight > 0, weight, 1.0)))


def features(
    registers: np.ndarray, *, origin: np.ndarray, now: np.ndarray, center: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Float32 ``[R, codes * len(PER_CODE) + len(GENERAL)]`` as of ``now [R]``, named by ``names()``; never NaN.

    Values as robust z (``center``, ``scale`` by code), clipped to ±8; ages and counts on a log scale, about 0 to 1.
    0 stands where nothing is known, and ``seen`` says so.
    """
    valued = registers["at"] != NOT_SEEN
    known = registers["seen"] != NOT_SEEN

    def z(x: np.ndarray) -> np.ndarray:
        return np.where(valued, np.clip((x - center) / scale, -8, 8), 0.0)

    age = np.maximum(now[:, None] - np.where(known, registers["seen"], now[:, None]), 0) / HOUR
    past = np.maximum(now[:, None] - np.where(valued, registers["at"], now[:, None]), 0) / HOUR
    spread = sd(registers) / scale[:, None]
    columns = [
        known,
        z(registers["last"]),
        np.where(known, np.log1p(np.minimum(age, 1e4)) / 3, 0.0),
        np.where(valued, np.clip(slope(registers) / scale, -4, 4), 0.0),
        *(z(registers["mean"][..., i]) for i in range(3)),
        *(np.where(valued, np.log1p(np.minimum(spread[..., i], 50)), 0.0) for i in (1, 2)),
        np.log1p(registers["weight"][..., SLOPE] * np.exp2(-past / HALF_LIVES[SLOPE])) / 3,
        np.log1p(registers["count"]) / 5,
    ]
    return np.concatenate(
        [np.stack(columns, axis=-1).reshape(len(registers), -1), _general(registers, origin, now)], axis=1
    ).astype(np.float32)


def _general(registers: np.ndarray, origin: np.ndarray, now: np.ndarray) -> np.ndarray:
    stay = np.where(origin > NOT_SEEN, np.maximum(now - origin, 0) / HOUR, 0.0)
    birth = registers["seen"][:, _birth()]
    years = np.where(birth != NOT_SEEN, (now - birth) / (365.25 * 24 * HOUR), 0.0)
    return np.stack([np.log1p(stay) / 4, np.clip(years / 100, 0, 1.2)], axis=1)


def _birth() -> int:
    return next(code.id for code in codes() if code.code == "MEDS_BIRTH")


def names(count: int) -> tuple[str, ...]:
    """The names of ``features``: ``<code>/<what>`` in code id order (hash buckets ``OTHER//i``), then ``GENERAL``."""
    listed = [code.code for code in codes()]
    listed += [f"OTHER//{i}" for i in range(count - len(listed))]
    return tuple(f"{code}/{what}" for code in listed[:count] for what in PER_CODE) + GENERAL


def group_values(registers: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(value, at)`` ``[R, codes]``: the newest value of each code or of a monitor's code that stands for it.

    ``parents [codes]`` gives each code's parent id (itself where it has none). NaN and ``NOT_SEEN`` where none.
    """
    value, at = registers["last"].copy(), registers["at"].copy()
    for child in np.flatnonzero(parents != np.arange(len(parents))):
        newer = registers["at"][:, child] > at[:, parents[child]]
        value[newer, parents[child]] = registers["last"][newer, child]
        at[newer, parents[child]] = registers["at"][newer, child]
    return value, at
