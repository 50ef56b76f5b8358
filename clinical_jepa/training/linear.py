"""Logistic regression on standardised inputs, its penalty chosen on tuning patients: our risk head, and every probe."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

LIMIT = 10.0  # of a standardised input, as in model.heads
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # inverse strengths C, strongest first
MAX_ROWS = 60_000


@dataclass(frozen=True, kw_only=True)
class Linear:
    """``weight [D]``, ``mean [D]``, ``scale [D]`` float32 and ``bias``; inputs that never vary weigh 0."""

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    bias: float
    penalty: float  # the chosen C; 0 where only one class was there

    def score(self, inputs: np.ndarray) -> np.ndarray:
        """Log-odds ``[N]`` of raw inputs ``[N, D]``."""
        x = np.clip((inputs - self.mean) / self.scale, -LIMIT, LIMIT).astype(np.float32)
        return np.asarray(x @ self.weight + np.float32(self.bias), np.float64)


def fit(inputs: np.ndarray, labels: np.ndarray, tune_inputs: np.ndarray, tune_labels: np.ndarray) -> Linear:
    """The regression whose C has the least log loss on the tuning rows (the strongest C where there are none)."""
    mean, scale = moments(inputs)
    moving = np.flatnonzero(inputs.std(axis=0) > 1e-6)
    blank = Linear(mean=mean, scale=scale, weight=np.zeros(inputs.shape[1], np.float32), bias=0.0, penalty=0.0)
    if labels.min() == labels.max() or not len(moving):
        share = float(np.clip(labels.mean(), 1e-4, 1 - 1e-4))
        return replace(blank, bias=float(np.log(share / (1 - share))))
    rows = _some(len(labels))
    x = np.clip((inputs[rows][:, moving] - mean[moving]) / scale[moving], -LIMIT, LIMIT).astype(np.float32)
    found = [_spread(blank, moving, *one) for one in _path(x, labels[rows])]
    return min(found, key=lambda one: loss(one.score(tune_inputs), tune_labels))


def moments(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation ``[D]`` of the rows, float32; the deviation is 1 where an input does not vary."""
    mean = inputs.mean(axis=0, dtype=np.float64)
    deviation = inputs.std(axis=0, dtype=np.float64)
    return mean.astype(np.float32), np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32)


def loss(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean log loss of log-odds; 0 of no rows."""
    return float(np.mean(np.logaddexp(0, scores) - labels * scores)) if len(labels) else 0.0


def _path(x: np.ndarray, labels: np.ndarray) -> list[tuple[np.ndarray, float, float]]:
    """(weight, bias, C) for each C, each started from the one before."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(warm_start=True, max_iter=200, tol=1e-4)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the tuning rows decide, converged or not
        for penalty in PENALTIES:
            model.C = penalty
            model.fit(x, labels.astype(np.int8))
            found.append((model.coef_[0].copy(), float(model.intercept_[0]), penalty))
    return found


def _spread(blank: Linear, moving: np.ndarray, weight: np.ndarray, bias: float, penalty: float) -> Linear:
    full = np.zeros_like(blank.weight)
    full[moving] = weight
    return replace(blank, weight=full, bias=bias, penalty=penalty)


def _some(count: int) -> np.ndarray:
    """All places, or MAX_ROWS of them, the same each time."""
    if count <= MAX_ROWS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:MAX_ROWS])
