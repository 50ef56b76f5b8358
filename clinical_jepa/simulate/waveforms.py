"""Shapes of the monitor's waveforms, from beats to samples; every channel at its own rate.

ECG: the sum of Gaussians on the circle of McSharry, Clifford, Tarassenko, Smith 2003 (IEEE Trans Biomed Eng 50:289), its
equation 1 in closed form for a path on the unit circle. Arterial pressure: the two-element Windkessel of Frank 1899,
solved exactly beat by beat for a half-sine inflow. Pulse oximetry: a delayed pulse with a diastolic shoulder.
"""

from __future__ import annotations

import numpy as np

from clinical_jepa.simulate.patients import Array

# McSharry 2003, table I: angle (rad), height a, width b of P, Q, R, S, T
_WAVES = np.array(
    [
        [-np.pi / 3, 1.2, 0.25],
        [-np.pi / 12, -5.0, 0.1],
        [0.0, 30.0, 0.1],
        [np.pi / 12, -7.5, 0.1],
        [np.pi / 2, 0.75, 0.4],
    ]
)
_MILLIVOLTS = 3.6
_DELAY = 0.16  # s from R peak to the pressure's upstroke at the wrist
SYSTOLE = 0.3  # s of ejection at a period of 1 s; goes with its square root (Bazett)


def beats(rng: np.random.Generator, rate: Array, breaths: Array, irregular: bool) -> Array:
    """R peaks in s from before 0 to after the end; ``rate`` and ``breaths`` per minute, one value a minute of the strip.

    Periods vary with breathing (about 4%), slowly (3%) and, in atrial fibrillation, at random (16%).
    """
    seconds = 60 * len(rate)
    at, found = -2.5 + rng.uniform(0, 1), []
    phase, slow = rng.uniform(0, 2 * np.pi, 2)
    jitter = rng.standard_normal(int(4 * (seconds + 8))) * (0.16 if irregular else 0.006)
    while at < seconds + 2.5:
        found.append(at)
        minute = min(max(int(at // 60), 0), len(rate) - 1)
        sway = 0.04 * np.sin(2 * np.pi * breaths[minute] / 60 * at + phase) + 0.03 * np.sin(0.2 * np.pi * at + slow)
        at += 60 / rate[minute] * max(1 + (0 if irregular else sway) + jitter[len(found)], 0.45)
    return np.array(found)


def _phase(time: Array, marks: Array) -> tuple[Array, Array, Array]:
    """The interval of each moment, the time since its start, and its length."""
    at = np.clip(np.searchsorted(marks, time, side="right") - 1, 0, len(marks) - 2)
    return at, time - marks[at], marks[at + 1] - marks[at]


def ecg(time: Array, peaks: Array) -> Array:
    """Lead II in mV at the moments ``time``."""
    _, since, period = _phase(time, peaks)
    angle = 2 * np.pi * since / period
    stretch = np.sqrt(np.clip(1 / period, 0.5, 3))  # waves widen in angle as the heart quickens (Bazett)
    out = np.zeros_like(time)
    for centre, height, width in _WAVES:
        place = centre * np.sqrt(stretch) if abs(centre) > np.pi / 4 else centre * stretch
        apart = np.mod(angle - place + np.pi, 2 * np.pi) - np.pi
        spread = width * stretch
        out += height * width**2 * np.exp(-0.5 * (apart / spread) ** 2)
    return _MILLIVOLTS * out


def windkessel(period: float, ratio: float) -> float:
    """The time constant RC in s at which pulse pressure over mean pressure is ``ratio``, by bisection."""
    low, high = 0.15, 12.0
    for _ in range(30):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if _pulsatility(period, middle) > ratio else (low, middle)
    return float(np.sqrt(low * high))


def _pulsatility(period: float, tau: float) -> float:
    """Pulse pressure over mean pressure of the steady Windkessel."""
    ejection = SYSTOLE * np.sqrt(period)
    start = _steady(period, ejection, tau)
    moments = np.linspace(0, ejection, 32)
    curve = start * np.exp(-moments / tau) + _forced(moments, ejection, tau)
    return float(np.ptp(curve) / (tau * 2 * ejection / (np.pi * period)))


def _forced(since: Array, ejection: Array | float, tau: float) -> Array:
    """Pressure that a half-sine inflow of unit height adds during ejection, from rest."""
    turn = np.pi / ejection
    shape = np.sin(turn * since) / tau - turn * np.cos(turn * since) + turn * np.exp(-since / tau)
    return shape / (1 / tau**2 + turn**2)


def _steady(period: float, ejection: float, tau: float) -> float:
    """End-diastolic pressure of the periodic solution for unit inflow."""
    end = float(_forced(np.array(ejection), ejection, tau)) * np.exp(-(period - ejection) / tau)
    return float(end / (1 - np.exp(-period / tau)))


def pressure(time: Array, peaks: Array, mean: Array, width: Array, breaths: Array) -> Array:
    """Arterial pressure in mmHg; ``mean``, ``width`` (pulse pressure) and ``breaths`` one value a minute."""
    marks = peaks + _DELAY
    length = np.diff(marks)
    minute = np.clip((marks[:-1] // 60).astype(int), 0, len(mean) - 1)
    period = float(np.median(length))
    tau = windkessel(period, float((width / mean).mean()))
    ejection = SYSTOLE * np.sqrt(length)
    breathing = 1 + 0.03 * np.sin(2 * np.pi * breaths[minute] / 60 * marks[:-1])
    inflow = mean[minute] * length * np.pi / (2 * ejection * tau) * breathing
    gain = inflow * _forced(ejection, ejection, tau) * np.exp(-(length - ejection) / tau)
    decay = np.exp(-length / tau)
    start = np.empty(len(length))
    level = inflow[0] * _steady(period, SYSTOLE * np.sqrt(period), tau)
    for beat in range(len(length)):
        start[beat] = level
        level = level * decay[beat] + gain[beat]
    at, since, _ = _phase(time, marks)
    inside = since < ejection[at]
    rising = start[at] * np.exp(-since / tau) + inflow[at] * _forced(np.minimum(since, ejection[at]), ejection[at], tau)
    crest = start * np.exp(-ejection / tau) + inflow * _forced(ejection, ejection, tau)
    out: Array = np.where(inside, rising, crest[at] * np.exp(-np.maximum(since - ejection[at], 0) / tau))
    return out


def pleth(time: Array, peaks: Array, width: Array, breaths: Array) -> Array:
    """Photoplethysmogram in NU, about 0.1 to 0.9; its height follows the pulse pressure."""
    _, since, period = _phase(time, peaks + _DELAY + 0.05)
    share = since / period
    minute = np.clip((time // 60).astype(int), 0, len(width) - 1)
    pulse = np.exp(-0.5 * ((share - 0.22) / 0.1) ** 2) + 0.42 * np.exp(-0.5 * ((share - 0.55) / 0.14) ** 2)
    sway = 0.05 * np.sin(2 * np.pi * breaths[minute] / 60 * time)
    out: Array = 0.15 + 0.6 * np.clip(width[minute] / 50, 0.3, 1.2) * pulse + sway
    return out
