"""Split conformal: quantiles, margins of forecast bands (CQR), p-values. The exchangeable unit is the patient.

Vovk, Gammerman & Shafer 2005; Romano, Patterson & Candès 2019 (conformalized quantile regression, arXiv 1905.03222).
"""

from __future__ import annotations

import math

import numpy as np


def conformal_quantile(scores: np.ndarray, alpha: float) -> float:
    """The k-th smallest score, k = ceil((n + 1)(1 - alpha)); infinity where k > n (the set is the whole space)."""
    scores = np.sort(np.asarray(scores, np.float64))
    # 1e-9: (n + 1)(1 - alpha) is meant as a real number, 10 * 0.8 must not become 9
    k = math.ceil((len(scores) + 1) * (1 - alpha) - 1e-9)
    return float(scores[max(k, 1) - 1]) if k <= len(scores) else math.inf


def cqr_scores(low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """How far the truth lies outside the band (negative: inside), max(low - y, y - high); NaN where y is NaN."""
    return np.maximum(low - truth, truth - high)


def one_per_patient(scores: np.ndarray, subjects: np.ndarray, seed: int = 0) -> np.ndarray:
    """One finite score of each patient, drawn at random by ``seed``: what makes scores exchangeable."""
    kept = np.flatnonzero(np.isfinite(scores))
    shuffled = np.random.default_rng(seed).permutation(kept)
    _, first = np.unique(subjects[shuffled], return_index=True)
    return np.asarray(scores[shuffled[first]], np.float64)


def max_per_patient(scores: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    """The largest finite score of each patient: covers a whole stay at once, at the price of width."""
    kept = np.isfinite(scores)
    patients, position = np.unique(subjects[kept], return_inverse=True)
    largest = np.full(len(patients), -np.inf)
    np.maximum.at(largest, position, scores[kept])
    return largest


def cqr_margin(
    low: np.ndarray, high: np.ndarray, truth: np.ndarray, subjects: np.ndarray, *, alpha: float, seed: int = 0
) -> float:
    """How much to widen (or, if negative, narrow) a band so that it covers a new patient with chance >= 1 - alpha."""
    return conformal_quantile(one_per_patient(cqr_scores(low, high, truth), subjects, seed), alpha)


def p_value(calibration: np.ndarray, score: float) -> float:
    """(1 + #{calibration >= score}) / (n + 1) for ascending ``calibration``; 0 for a score that is not a finite number."""
    if not math.isfinite(score):
        return 0.0
    at_least = len(calibration) - int(np.searchsorted(calibration, score, side="left"))
    return (1 + at_least) / (len(calibration) + 1)
