"""From a model's raw step to what may be told: a calibrated risk with its interval, and widened bands."""

from __future__ import annotations

import math

import numpy as np

from clinical_jepa.forecast import venn_abers
from clinical_jepa.records.forecasts import Band, Policy
from clinical_jepa.vocabulary.codes import by_code


def risk(policy: Policy, score: float) -> tuple[float, float, float]:
    """``(risk, low, high)``: the merged Venn–Abers probability of a raw score and its two fits."""
    table = (policy.calibration_scores, policy.calibration_p0, policy.calibration_p1)
    p0, p1 = venn_abers.apply(table, np.array([score]))
    return float(venn_abers.merge(p0, p1)[0]), float(p0[0]), float(p1[0])


def bands(policy: Policy, quantiles: np.ndarray, now: int) -> tuple[Band, ...]:
    """One band for each vital and horizon of the policy's task; ``quantiles`` is ``[vitals, horizons, q]``.

    The outer quantiles are widened by the policy's margin; low <= median <= high always holds, and a band stays
    within the code's plausibility limits, which are the whole space of an infinite margin. A forecast that is not a
    number gives no band.
    """
    found = []
    for v, code in enumerate(policy.task.vitals):
        for h, horizon in enumerate(policy.task.horizons):
            row, margin = quantiles[v, h], float(policy.band_margin[v, h])
            if np.isfinite(row).all():
                low, median, high = _ordered(row, margin, code)
                found.append(Band(code=code, at=now + horizon, low=low, median=median, high=high))
    return tuple(found)


def _ordered(row: np.ndarray, margin: float, code: str) -> tuple[float, float, float]:
    known = by_code()[code]
    least = -math.inf if known.low is None else known.low
    most = math.inf if known.high is None else known.high
    median = min(max(float(row[len(row) // 2]), least), most)
    low = max(min(float(row[0]) - margin, median), least)
    high = min(max(float(row[-1]) + margin, median), most)
    return low, median, high
