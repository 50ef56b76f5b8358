"""Discrimination and calibration of probabilities, each by its definition, over rows.

Many rows of one patient are not independent: intervals come from ``forecast.bootstrap``, which draws patients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

CLIP = 1e-6  # probabilities are clipped to [CLIP, 1 - CLIP] before a logit is taken


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Chance that a positive scores above a negative, ties half; NaN with one class."""
    positive, negative = _by_score(labels, scores)
    below = np.cumsum(negative) - negative
    pairs = positive.sum() * negative.sum()
    return float((positive * (below + 0.5 * negative)).sum() / pairs) if pairs else math.nan


def auprc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Average precision, sum of (R_k - R_{k-1}) P_k over distinct thresholds; NaN with one class."""
    positive, negative = (counts[::-1] for counts in _by_score(labels, scores))  # from the highest score down
    if not positive.sum() or not negative.sum():
        return math.nan
    true = np.cumsum(positive)
    return float((positive * true / (true + np.cumsum(negative))).sum() / positive.sum())


def _by_score(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many positives and negatives stand at each distinct score, ascending."""
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a finite number: every row must be scored before rows are ranked")
    distinct, position = np.unique(scores, return_inverse=True)
    positive = np.bincount(position, weights=np.asarray(labels) == 1, minlength=len(distinct))
    return positive, np.bincount(position, minlength=len(distinct)) - positive


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared difference of probability and outcome."""
    return float(np.mean((np.asarray(probabilities, np.float64) - labels) ** 2))


def brier_skill(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """1 - Brier / Brier of the prevalence; NaN with one class."""
    base = brier(labels, np.full(len(labels), np.mean(labels)))
    return 1 - brier(labels, probabilities) / base if base > 0 else math.nan


@dataclass(frozen=True)
class Bin:
    """One bin of a reliability table: its edges, rows, mean probability and share of positives."""

    low: float
    high: float
    count: int
    predicted: float
    observed: float


def reliability(labels: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> tuple[Bin, ...]:
    """The non-empty ones of ``bins`` equal-width bins [k/M, (k+1)/M), the last closed."""
    return _table(labels, probabilities, np.arange(bins + 1) / bins)


def reliability_by_mass(labels: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> tuple[Bin, ...]:
    """Bins of about equal numbers of rows; equal probabilities stay together."""
    edges = np.quantile(probabilities, np.arange(bins + 1) / bins)
    return _table(labels, probabilities, np.unique(edges))


def _table(labels: np.ndarray, probabilities: np.ndarray, edges: np.ndarray) -> tuple[Bin, ...]:
    p, y = np.asarray(probabilities, np.float64), np.asarray(labels, np.float64)
    last = max(len(edges) - 2, 0)
    which = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, last)
    found = []
    for k in np.unique(which):
        rows = which == k
        high = float(edges[min(k + 1, len(edges) - 1)])
        found.append(Bin(float(edges[k]), high, int(rows.sum()), float(p[rows].mean()), float(y[rows].mean())))
    return tuple(found)


def ece(table: tuple[Bin, ...]) -> float:
    """Expected calibration error: the bins' |observed - predicted|, weighted by their rows."""
    rows = sum(row.count for row in table)
    return sum(row.count * abs(row.observed - row.predicted) for row in table) / rows if rows else math.nan


def logit(probabilities: np.ndarray) -> np.ndarray:
    """Log-odds of probabilities clipped to [CLIP, 1 - CLIP]."""
    p = np.clip(np.asarray(probabilities, np.float64), CLIP, 1 - CLIP)
    return np.asarray(np.log(p) - np.log1p(-p))


def calibration_slope_intercept(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float, float]:
    """``(slope, intercept)`` of logit P(y) = intercept + slope * logit(p): ideal (1, 0); NaN with one class."""
    x = logit(probabilities)
    design = np.stack([np.ones_like(x), x], axis=1)
    coefficients = _newton(design, np.asarray(labels, np.float64), np.zeros(len(x)))
    return float(coefficients[1]), float(coefficients[0])


def calibration_in_the_large(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The intercept with the slope fixed at 1: how far the mean log-odds are off; NaN with one class."""
    x = logit(probabilities)
    return float(_newton(np.ones((len(x), 1)), np.asarray(labels, np.float64), x)[0])


def _newton(design: np.ndarray, labels: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Maximum-likelihood logistic coefficients; NaN where they do not exist (one class, or a perfect split)."""
    beta = np.zeros(design.shape[1])
    if len(labels) == 0 or labels.min() == labels.max():
        return np.full_like(beta, np.nan)
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(design @ beta + offset, -40, 40)))
        hessian = (design * (p * (1 - p))[:, None]).T @ design
        if not np.isfinite(hessian).all() or np.linalg.cond(hessian) > 1e12:
            return np.full_like(beta, np.nan)
        step = np.linalg.solve(hessian, design.T @ (labels - p))
        beta = beta + np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-10:
            return beta
    return np.full_like(beta, np.nan)
