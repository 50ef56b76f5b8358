"""Inductive Venn–Abers predictor: two isotonic fits bracket the probability (Vovk, Petej & Fedorova, arXiv 1511.00213).

For a score s, p0 (p1) is the isotonic fit, at s, to the calibration set with (s, 0) ((s, 1)) added. p1 is constant on
each (s_i, s_{i+1}] and p0 on each [s_i, s_{i+1}) of the distinct calibration scores, so both are kept at these scores
and a prediction is a binary search. A point of label 1 put just below s_{i+1} is pooled with it, as an equal one is.
"""

from __future__ import annotations

import numpy as np


def fit(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(scores, p0, p1)``: the distinct calibration scores, ascending, and both fits at them (float64, exact)."""
    distinct, position = np.unique(np.asarray(scores, np.float64), return_inverse=True)
    weight = np.bincount(position, minlength=len(distinct)).astype(np.float64)
    total = np.bincount(position, weights=np.asarray(labels, np.float64), minlength=len(distinct))
    before = _last_blocks(total, weight, falling=False)
    after = _last_blocks(total[::-1], weight[::-1], falling=True)
    count = len(distinct)
    p0 = np.array([_insert(i, count, 0.0, (total[i], weight[i]), before, after) for i in range(count)])
    p1 = np.array([_insert(i, count, 1.0, (total[i], weight[i]), before, after) for i in range(count)])
    return distinct, p0, p1


def apply(table: tuple[np.ndarray, np.ndarray, np.ndarray], scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(p0, p1)`` at the scores; below the smallest calibration score p0 is 0, above the largest p1 is 1."""
    distinct, p0, p1 = table
    scores = np.asarray(scores, np.float64)
    low = np.concatenate(([0.0], p0))[np.searchsorted(distinct, scores, side="right")]
    high = np.concatenate((p1, [1.0]))[np.searchsorted(distinct, scores, side="left")]
    return low, high


def merge(p0: np.ndarray, p1: np.ndarray) -> np.ndarray:
    """The one probability p1 / (1 - p0 + p1) that minimises the regret of log loss."""
    return np.asarray(p1 / (1.0 - p0 + p1))


_Blocks = list[tuple[int, float, float]]  # for each j: length, sum and weight of the last block of the fit to 0 … j


def _last_blocks(total: np.ndarray, weight: np.ndarray, *, falling: bool) -> _Blocks:
    """The last block of each prefix's isotonic fit; the block before it is the last one of the prefix it leaves."""
    blocks: _Blocks = []
    for j in range(len(total)):
        length, sum_, mass = 1, float(total[j]), float(weight[j])
        while length <= j:
            near = blocks[j - length]
            rising = near[1] * mass < sum_ * near[2]
            if (near[1] * mass > sum_ * near[2]) if falling else rising:
                break
            length, sum_, mass = length + near[0], sum_ + near[1], mass + near[2]
        blocks.append((length, sum_, mass))
    return blocks


def _insert(i: int, count: int, label: float, own: tuple[float, float], before: _Blocks, after: _Blocks) -> float:
    """The fit at score i once (score i, label) is added: its group is pooled with neighbours that violate the order."""
    sum_, mass = float(own[0]) + label, float(own[1]) + 1.0
    left, right = i - 1, count - 2 - i  # positions of the neighbouring prefix and (mirrored) suffix
    while True:
        if left >= 0 and before[left][1] * mass >= sum_ * before[left][2]:
            length, more, weight = before[left]
            left -= length
        elif right >= 0 and after[right][1] * mass <= sum_ * after[right][2]:
            length, more, weight = after[right]
            right -= length
        else:
            return sum_ / mass
        sum_, mass = sum_ + more, mass + weight
