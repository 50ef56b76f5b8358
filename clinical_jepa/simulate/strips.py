"""A strip of waveforms: the channels at their own rates, with what disturbs them at the bedside."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clinical_jepa.simulate import waveforms
from clinical_jepa.simulate.patients import Array


class Channel(NamedTuple):
    """Samples in physical units, NaN where the monitor had no value. ``per_frame`` samples in a frame of 1/62.5 s."""

    name: str
    unit: str
    per_frame: int
    gain: int
    samples: Array


class Bedside(NamedTuple):
    """The minutes of a strip, ``[m]``: what the body does and whether each sensor is on."""

    hr: Array
    rr: Array
    mean: Array
    width: Array
    leads_on: Array
    probe_on: Array
    line_on: Array
    irregular: bool
    line: bool


_SHAPE = {"II": ("mV", 2, 1000), "ABP": ("mmHg", 2, 50), "PLETH": ("NU", 1, 4096)}


def render(bedside: Bedside, rng: np.random.Generator) -> list[Channel]:
    """The channels of a strip that goes on for whole minutes, sometimes cut short at the end; a few lack a channel."""
    peaks = waveforms.beats(rng, bedside.hr, bedside.rr, bedside.irregular)
    frames = int(3750 * len(bedside.hr))
    if rng.random() < 0.08:
        frames -= int(rng.integers(300, 1900))
    names = [
        "II",
        *(["ABP"] if bedside.line and rng.random() > 0.04 else []),
        *(["PLETH"] if rng.random() > 0.04 else []),
    ]
    return [_channel(name, frames, bedside, peaks, rng) for name in names]


def _channel(name: str, frames: int, bedside: Bedside, peaks: Array, rng: np.random.Generator) -> Channel:
    unit, per_frame, gain = _SHAPE[name]
    time = np.arange(frames * per_frame) / (62.5 * per_frame)
    samples, on = {"II": _ecg, "ABP": _pressure, "PLETH": _pleth}[name](time, bedside, peaks, rng)
    minute = np.minimum((time // 60).astype(int), len(on) - 1)
    samples = np.where(on[minute], samples, 0.0)  # a sensor that is off reads a constant
    if rng.random() < 0.06:
        _blank(samples, 62.5 * per_frame, rng)
    return Channel(name, unit, per_frame, gain, samples)


def _ecg(time: Array, bedside: Bedside, peaks: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    breath = 0.06 * np.sin(2 * np.pi * bedside.rr[0] / 60 * time)
    samples = waveforms.ecg(time, peaks) + breath + 0.015 * rng.standard_normal(len(time))
    if rng.random() < 0.1:  # muscle noise
        spell = _spell(time, rng)
        samples[spell] += 0.12 * rng.standard_normal(int(spell.sum()))
    return samples, bedside.leads_on


def _pressure(time: Array, bedside: Bedside, peaks: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    samples = waveforms.pressure(time, peaks, bedside.mean, bedside.width, bedside.rr)
    samples = samples + 0.5 * rng.standard_normal(len(time))
    if rng.random() < 0.04:  # the line is flushed
        samples[_spell(time, rng)] = 295 + rng.uniform(-5, 5)
    return samples, bedside.line_on


def _pleth(time: Array, bedside: Bedside, peaks: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    samples = waveforms.pleth(time, peaks, bedside.width, bedside.rr) + 0.006 * rng.standard_normal(len(time))
    if rng.random() < 0.1:  # the hand moves
        spell = _spell(time, rng)
        samples[spell] += 0.6 * np.sin(2 * np.pi * rng.uniform(0.7, 2.5) * time[spell])
    return samples, bedside.probe_on


def _spell(time: Array, rng: np.random.Generator) -> Array:
    """Mask of three to eight seconds."""
    start = rng.uniform(0, max(time[-1] - 8, 1))
    mask: Array = (time >= start) & (time < start + rng.uniform(3, 8))
    return mask


def _blank(samples: Array, rate: float, rng: np.random.Generator) -> None:
    """No value for two to ten seconds."""
    start = int(rng.integers(0, len(samples)))
    samples[start : start + int(rng.uniform(2, 10) * rate)] = np.nan
