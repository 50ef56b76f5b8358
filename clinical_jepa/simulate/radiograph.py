"""A synthetic chest radiograph: two lung fields, ribs, heart, spine; the lungs whiten as they fill."""

from __future__ import annotations

import numpy as np

from clinical_jepa.simulate.patients import Array

ROWS, COLUMNS = 256, 224
_Y, _X = np.meshgrid(np.linspace(-1, 1, ROWS), np.linspace(-1, 1, COLUMNS), indexing="ij")
_LUNGS = ((-0.42, -0.05, 0.3, 0.62), (0.43, -0.05, 0.28, 0.6))  # centre x, y, half axes


def _inside(x: float, y: float, across: float, along: float) -> Array:
    """About 1 inside an ellipse, about 0 outside, with a soft edge."""
    radius = ((_X - x) / across) ** 2 + ((_Y - y) / along) ** 2
    return 1 / (1 + np.exp(np.clip(14 * (radius - 1), -60, 60)))


def density(opacity: float, anatomy: np.random.Generator, noise: np.random.Generator) -> Array:
    """``[256, 224]`` in [0, 1], dense is bright. ``anatomy`` is the patient's own and gives the same body each time."""
    shift, size = anatomy.normal(0, 0.03, 2), anatomy.normal(1, 0.06)
    picture = 0.62 - 0.18 * _X**2 - 0.1 * (_Y + 0.2) ** 2
    lungs = np.zeros_like(picture)
    for x, y, across, along in _LUNGS:
        lungs = np.maximum(lungs, _inside(x + shift[0], y + shift[1], across * size, along * size))
    picture = picture * (1 - 0.72 * lungs) + lungs * _ribs(anatomy)
    heart = _inside(0.12 + shift[0], 0.32 + shift[1], 0.3 * anatomy.normal(1, 0.12), 0.34)
    spine = np.exp(-0.5 * ((_X - shift[0]) / 0.1) ** 2)
    picture = np.maximum(picture, 0.62 * heart) + 0.16 * spine
    picture = picture + lungs * _filling(opacity, anatomy)
    picture = picture + 0.05 * noise.normal() + noise.normal(0, 0.018, picture.shape)
    out: Array = np.clip(picture, 0, 1)
    return out


def _ribs(anatomy: np.random.Generator) -> Array:
    phase = anatomy.uniform(0, 2 * np.pi)
    return 0.05 * np.maximum(np.sin(26 * (_Y + 0.35 * np.abs(_X)) + phase), 0)


def _filling(opacity: float, anatomy: np.random.Generator) -> Array:
    """Hazy patches, lower ones first; their places are the patient's own, their density grows with the fluid."""
    haze = 0.3 + 0.5 / (1 + np.exp(-6 * (_Y - 0.1)))
    for _ in range(6):
        x, y = anatomy.choice([-0.42, 0.43]) + anatomy.normal(0, 0.12), anatomy.uniform(-0.4, 0.5)
        haze = haze + 0.5 * np.exp(-0.5 * (((_X - x) / 0.14) ** 2 + ((_Y - y) / 0.18) ** 2))
    out: Array = 0.55 * haze * (1 - np.exp(-1.3 * max(opacity, 0)))
    return out
