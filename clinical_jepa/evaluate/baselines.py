"""What every model must be compared with: fitted on the same training patients, tuned on the same tuning patients.

Each baseline is a function of rows to scores; larger is riskier. All but NEWS2 are log-odds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clinical_jepa.records.instant import DAY
from clinical_jepa.training import linear
from clinical_jepa.training.anchors import Anchors
from clinical_jepa.vocabulary.codes import by_code

Inputs = Callable[[Anchors], np.ndarray]
Score = Callable[[Anchors], np.ndarray]
MEASURED = ("vital", "lab", "measure", "monitor")
_WHEN = ("seen", "age", "recent", "count")  # register features that hold no value
# (leaves, rows a leaf, learning rate): the least tuning loss wins, trees by early stopping
_GRID = ((7, 40, 0.05), (15, 80, 0.05), (31, 200, 0.05), (4, 40, 0.1))


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Labelled rows to fit on and to choose by."""

    train: Anchors
    tuning: Anchors


def registers(rows: Anchors) -> np.ndarray:
    """The raw register features: newest values, ages, slopes, decayed means and spreads of every code."""
    return rows.registers


def state(rows: Anchors) -> np.ndarray:
    """z alone."""
    return rows.z


def everything(rows: Anchors) -> np.ndarray:
    """z and registers."""
    return rows.inputs


def clock(rows: Anchors) -> np.ndarray:
    """Time since arrival (three shapes of it) and time of day, nothing else."""
    stay = rows.registers[:, [_places(rows, lambda name: name == "stay_hours")[0]]]
    angle = 2 * np.pi * (rows.time % DAY) / DAY
    return np.column_stack([stay, stay**2, stay**3, np.sin(angle), np.cos(angle)]).astype(np.float32)


def missingness(rows: Anchors) -> np.ndarray:
    """What was measured, how often and how long ago, without any value, and the clock."""

    def holds_no_value(name: str) -> bool:
        code, _, what = name.rpartition("/")
        return what in _WHEN and code in by_code() and by_code()[code].kind in MEASURED

    return np.concatenate([rows.registers[:, _places(rows, holds_no_value)], clock(rows)], axis=1)


def news2(rows: Anchors) -> np.ndarray:
    """The NEWS2 of the known parameters (a lower bound where some are missing; 0 where all are)."""
    return np.nan_to_num(rows.news2.astype(np.float64), nan=0.0)


def logistic(parts: Parts, inputs: Inputs) -> Score:
    """Regularised logistic regression."""
    fitted = linear.fit(inputs(parts.train), parts.train.label, inputs(parts.tuning), parts.tuning.label)
    return lambda rows: fitted.score(inputs(rows))


def trees(parts: Parts, inputs: Inputs) -> Score:
    """LightGBM; number of trees, leaves and rows a leaf are chosen by tuning loss."""
    import lightgbm

    train = lightgbm.Dataset(inputs(parts.train), parts.train.label, free_raw_data=False)
    tuning = train.create_valid(inputs(parts.tuning), parts.tuning.label)
    found = [_boosted(train, tuning, *choice) for choice in _GRID]
    best = min(found, key=lambda booster: booster.best_score["valid_0"]["binary_logloss"])
    return lambda rows: np.asarray(best.predict(inputs(rows), raw_score=True), np.float64)


def better(parts: Parts, inputs: Inputs) -> Score:
    """Logistic regression or trees, whichever has the less loss on tuning rows."""
    both = (logistic(parts, inputs), trees(parts, inputs))
    return min(both, key=lambda score: linear.loss(score(parts.tuning), parts.tuning.label))


def _boosted(train: Any, tuning: Any, leaves: int, rows: int, rate: float) -> Any:
    import lightgbm

    parameters = {
        "objective": "binary",
        "metric": "binary_logloss",
        "num_leaves": leaves,
        "min_data_in_leaf": rows,
        "learning_rate": rate,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "num_threads": 1,  # more wait for each other by spinning: beside other work that costs five times the time
        "deterministic": True,
        "force_row_wise": True,
        "seed": 0,
        "verbosity": -1,
    }
    quiet = lightgbm.early_stopping(30, verbose=False)
    return lightgbm.train(parameters, train, num_boost_round=600, valid_sets=[tuning], callbacks=[quiet])


def _places(rows: Anchors, wanted: Callable[[str], bool]) -> list[int]:
    """Columns of ``registers`` with such a name."""
    width = rows.z.shape[1]
    return [place for place, name in enumerate(rows.names[width:]) if wanted(name)]
