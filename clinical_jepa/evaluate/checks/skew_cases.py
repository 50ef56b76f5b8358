"""Simulated pairs of a monitor and a chart whose clocks stand apart by a known offset.

The heart rate of each case wanders as hearts at the bedside do: by the hour of the day, slowly, quickly, in steps after
what is done to the patient; irregular in fibrillation, held by a pacemaker for hours or for all of the stay. The monitor
loses leads and counts double; the nurse charts every 15 minutes, rounds, is early or late, copies the last value,
mistypes, and leaves some out.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from clinical_jepa.records.instant import DAY, HOUR, MINUTE
from clinical_jepa.timeline.clock_skew import Series

Array = np.ndarray
Kind = Literal["sinus", "fibrillation", "part-paced", "constant"]
_KINDS: tuple[tuple[Kind, float], ...] = (
    ("sinus", 0.78),
    ("fibrillation", 0.10),
    ("part-paced", 0.08),
    ("constant", 0.04),
)
_STEP = 6  # seconds between the values from which both monitor and chart are made
_PER_MINUTE = 60 // _STEP
_START = 20_000 * DAY  # microseconds


class Case(NamedTuple):
    """``offset`` in microseconds is the truth: chart minus monitor."""

    kind: Kind
    monitor: Series
    chart: Series
    offset: int


def case(seed: int, number: int) -> Case:
    """Case ``number`` of a seed, always the same: offset within 6 h, 12 to 36 h in which both were written."""
    rng = np.random.default_rng([seed, number])
    kind = _KINDS[int(rng.choice(len(_KINDS), p=[share for _, share in _KINDS]))][0]
    shared = int(rng.uniform(12, 36) * 60)  # minutes
    before, after = int(rng.uniform(0, 180)), int(rng.uniform(0, 180))  # the monitor alone
    minutes = before + shared + after
    rate = _rate(kind, minutes, rng)
    offset = int(rng.uniform(-6, 6) * HOUR)
    return Case(kind, _monitor(rate, rng), _chart(rate, before, shared, offset, rng), offset)


def _rate(kind: Kind, minutes: int, rng: np.random.Generator) -> Array:
    """The heart rate every ``_STEP`` seconds."""
    count = minutes * _PER_MINUTE
    t = np.arange(count) / (_PER_MINUTE * 60)  # hours
    rate = rng.uniform(62, 112) + rng.uniform(0, 8) * np.sin(2 * np.pi * (t - rng.uniform(0, 24)) / 24)
    rate += _wander(count, rng.uniform(60, 240), rng.uniform(3, 9), rng)
    rate += _wander(count, rng.uniform(4, 20), rng.uniform(1.5, 4), rng)
    rate += _wander(count, 0.5, rng.uniform(0.5, 1.5), rng)
    for _ in range(rng.poisson(minutes / 240)):  # turned, suctioned, given something: up or down, and slowly back
        begin = int(rng.integers(count))
        rate[begin:] += rng.normal(0, 10) * np.exp(-np.arange(count - begin) / (rng.uniform(10, 90) * _PER_MINUTE))
    if kind == "fibrillation":
        rate += 15 + _wander(count, 0.3, rng.uniform(3, 7), rng)
    if kind == "part-paced":
        begin, length = int(rng.integers(count)), int(rng.uniform(3, 8) * 60 * _PER_MINUTE)
        rate[begin : begin + length] = rng.choice([70, 80, 90])
    if kind == "constant":
        rate = rng.choice([60, 70, 80, 90]) + 0.3 * rng.standard_normal(count)
    return np.clip(rate, 30, 220)


def _wander(count: int, minutes: float, spread: float, rng: np.random.Generator) -> Array:
    """A first-order autoregression that forgets within ``minutes`` and spreads by ``spread``."""
    keep = np.exp(-1 / (minutes * _PER_MINUTE))
    steps = rng.standard_normal(count) * spread * np.sqrt(1 - keep**2)
    out, last = np.empty(count), rng.standard_normal() * spread
    for place, step in enumerate(steps.tolist()):
        last = keep * last + step
        out[place] = last
    return out


def _monitor(rate: Array, rng: np.random.Generator) -> Series:
    values = np.round(rate.reshape(-1, _PER_MINUTE).mean(axis=1), 1)
    wrong = rng.random(len(values)) < 0.01
    values[wrong] *= rng.choice([0.5, 2.0], wrong.sum())  # T waves counted, or beats missed
    lost = rng.random(len(values)) < 0.01
    for _ in range(rng.poisson(len(values) / 360)):  # leads off, a scan, a bath
        begin = int(rng.integers(len(values)))
        lost[begin : begin + int(rng.uniform(5, 75))] = True
    times = _START + MINUTE * np.arange(len(values), dtype=np.int64)
    return Series(times[~lost], values[~lost])


def _chart(rate: Array, before: int, shared: int, offset: int, rng: np.random.Generator) -> Series:
    """Every 15 minutes of the chart's own clock, while both were written."""
    first = -(-(_START + before * MINUTE + offset) // (15 * MINUTE)) * 15 * MINUTE
    times = first + 15 * MINUTE * np.arange(shared // 15, dtype=np.int64)
    read = times - offset + (rng.normal(0, 2, len(times)) * MINUTE).astype(np.int64)
    place = np.clip((read - _START) // (_STEP * 1_000_000), 0, len(rate) - 1)
    smooth = np.convolve(
        np.pad(rate, 2, mode="edge"), np.full(5, 0.2), mode="valid"
    )  # a monitor shows some beats' mean
    values = np.round(smooth[place])
    copied = np.flatnonzero(rng.random(len(values)) < 0.03)
    values[copied[copied > 0]] = values[copied[copied > 0] - 1]
    wrong = rng.random(len(values)) < 0.01
    values[wrong] = rng.integers(40, 160, wrong.sum())
    kept = rng.random(len(values)) >= 0.04
    return Series(times[kept], values[kept])
