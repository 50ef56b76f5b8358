"""Intervals that draw patients, not rows: with replacement, all rows of each draw, paired over models.

A draw is a count for each patient. Both ranking metrics are sums over pairs of patients, or of patients and thresholds,
so scores are ranked once and a thousand replicates are two matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from clinical_jepa.forecast import metrics

Metric = Literal["auroc", "auprc", "brier"]
_THRESHOLDS = 2048  # of the precision-recall curve held at once


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value with its percentile interval. ``one_class`` replicates held one class only and are left out of it."""

    value: float
    low: float
    high: float
    replicates: int
    one_class: int


@dataclass(frozen=True)
class Draws:
    """``counts [B, P]``: how often each patient was drawn; ``patient [N]``: the patient of each row."""

    counts: np.ndarray  # float64
    patient: np.ndarray  # int64


def draw(subjects: np.ndarray, replicates: int = 1000, seed: int = 0) -> Draws:
    """The draws for rows of these subjects; equal arguments give equal draws, so that models are compared paired."""
    patients, position = np.unique(subjects, return_inverse=True)
    share = np.full(len(patients), 1 / max(len(patients), 1))
    counts = np.random.default_rng(seed).multinomial(len(patients), share, size=replicates)
    return Draws(counts.astype(np.float64), position.astype(np.int64))


def interval(metric: Metric, labels: np.ndarray, scores: np.ndarray, draws: Draws, level: float = 0.95) -> Interval:
    """The metric on all rows, with its percentile interval over the draws."""
    value = {"auroc": metrics.auroc, "auprc": metrics.auprc, "brier": metrics.brier}[metric](labels, scores)
    return summarise(value, replicates(metric, labels, scores, draws), level)


def replicates(metric: Metric, labels: np.ndarray, scores: np.ndarray, draws: Draws) -> np.ndarray:
    """The metric of every replicate, float64 ``[B]``, NaN where one class was not drawn."""
    return {"auroc": _aurocs, "auprc": _auprcs, "brier": _briers}[metric](labels, scores, draws)


def summarise(value: float, found: np.ndarray, level: float = 0.95) -> Interval:
    """A value and the percentiles of its replicates, the undefined ones counted."""
    kept = found[np.isfinite(found)]
    low, high = (math.nan, math.nan)
    if len(kept):
        low, high = (float(x) for x in np.quantile(kept, [(1 - level) / 2, (1 + level) / 2]))
    return Interval(value=value, low=low, high=high, replicates=len(found), one_class=len(found) - len(kept))


def _aurocs(labels: np.ndarray, scores: np.ndarray, draws: Draws) -> np.ndarray:
    """From the matrix of won pairs: entry (p, q) counts positives of p above negatives of q, ties half."""
    positive = np.asarray(labels) == 1
    count = draws.counts.shape[1]
    wins = np.zeros((count, count))
    for q, lower in enumerate(_of_each(scores, ~positive, draws)):
        won = np.searchsorted(lower, scores[positive], "left") + np.searchsorted(lower, scores[positive], "right")
        wins[:, q] = np.bincount(draws.patient[positive], weights=0.5 * won, minlength=count)
    pairs = _drawn(positive, draws) * _drawn(~positive, draws)
    return _ratio(((draws.counts @ wins) * draws.counts).sum(axis=1), pairs)


def _auprcs(labels: np.ndarray, scores: np.ndarray, draws: Draws) -> np.ndarray:
    """From counts at or above each distinct score of a positive; precision elsewhere adds nothing."""
    positive = np.asarray(labels) == 1
    total = np.zeros(len(draws.counts))
    thresholds = np.unique(scores[positive])
    for first in range(0, len(thresholds), _THRESHOLDS):
        at = thresholds[first : first + _THRESHOLDS]
        true = draws.counts @ _reaching(scores, positive, at, "left", draws)
        called = draws.counts @ _reaching(scores, np.ones_like(positive), at, "left", draws)
        here = true - draws.counts @ _reaching(scores, positive, at, "right", draws)  # positives at exactly this score
        total += (here * true / np.maximum(called, 1)).sum(axis=1)
    drawn = _drawn(positive, draws)
    return np.where(_drawn(~positive, draws) > 0, _ratio(total, drawn), np.nan)


def _briers(labels: np.ndarray, scores: np.ndarray, draws: Draws) -> np.ndarray:
    count = draws.counts.shape[1]
    losses = np.bincount(draws.patient, weights=(scores - labels) ** 2, minlength=count)
    return _ratio(draws.counts @ losses, draws.counts @ np.bincount(draws.patient, minlength=count))


def _reaching(
    scores: np.ndarray, rows: np.ndarray, at: np.ndarray, side: Literal["left", "right"], draws: Draws
) -> np.ndarray:
    """``[P, K]``: each patient's chosen rows with a score at or above (side left), or above (right), each threshold."""
    counts = [len(kept) - np.searchsorted(kept, at, side=side) for kept in _of_each(scores, rows, draws)]
    return np.stack(counts).astype(np.float64)


def _of_each(scores: np.ndarray, rows: np.ndarray, draws: Draws) -> Iterator[np.ndarray]:
    """The ascending scores of each patient's chosen rows."""
    patient, kept = draws.patient[rows], scores[rows]
    order = np.lexsort((kept, patient))
    edges = np.searchsorted(patient[order], np.arange(draws.counts.shape[1] + 1))
    for first, last in pairwise(edges):
        yield kept[order[first:last]]


def _drawn(rows: np.ndarray, draws: Draws) -> np.ndarray:
    """How many of the chosen rows each replicate holds, ``[B]``."""
    return np.asarray(draws.counts @ np.bincount(draws.patient[rows], minlength=draws.counts.shape[1]))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
