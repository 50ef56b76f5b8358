"""Small untrained models and heads with random numbers: enough to test every law that does not need skill."""

from __future__ import annotations

import numpy as np

from clinical_jepa.model import checkpoint, normaliser
from clinical_jepa.model.config import ModelConfig
from clinical_jepa.model.forecaster import JepaForecaster
from clinical_jepa.model.heads import Heads
from clinical_jepa.model.network import Model
from clinical_jepa.records.instant import HOUR
from tests.model.synthetic_slices import stay

CONFIG = ModelConfig(width=32, facts=8, reads=2, queries=2)
VITALS = ("LOINC//8867-4", "LOINC//8478-0")


def make_model(seed: int = 0) -> Model:
    return checkpoint.untrained(CONFIG, normaliser.fit([stay(i) for i in range(4)]), seed)


def make_heads(model: Model, seed: int = 0) -> Heads:
    rng = np.random.default_rng(seed)
    inputs = JepaForecaster(model).names
    width, d, shape = CONFIG.width, len(inputs), (len(VITALS), 2, 3)
    precision = np.eye(width, dtype=np.float32) + 0.1
    return Heads(
        task="a-task",
        inputs=inputs,
        mean=rng.normal(0, 0.1, d).astype(np.float32),
        scale=np.full(d, 0.5, np.float32),
        risk_weight=rng.normal(0, 0.05, d).astype(np.float32),
        risk_bias=-2.0,
        vitals=VITALS,
        horizons=(HOUR, 4 * HOUR),
        quantiles=(0.1, 0.5, 0.9),
        quantile_weight=rng.normal(0, 0.05, (*shape, d)).astype(np.float32),
        quantile_bias=rng.normal(0, 3, shape).astype(np.float32),
        novelty_mean=np.zeros(width, np.float32),
        novelty_precision=precision,
        background_mean=np.zeros(width, np.float32),
        background_precision=np.zeros((width, width), np.float32),
    )


def make_forecaster(seed: int = 0) -> JepaForecaster:
    model = make_model(seed)
    return JepaForecaster(model, make_heads(model, seed))
