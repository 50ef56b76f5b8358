"""Everything that can be chosen about training; ``TrainConfig()`` is the tiny model of the demo."""

from __future__ import annotations

from dataclasses import dataclass, field

from clinical_jepa.model.config import ModelConfig


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A weight of 0 leaves its objective out."""

    model: ModelConfig = field(default_factory=ModelConfig)
    seed: int = 0
    steps: int = 600
    seconds: float = 0.0  # stop after this long; 0: no limit
    batch: int = 32  # patients, one window of each
    prefix: int = 128  # newest arrivals before the anchor that reach F and S
    future_items: int = 400  # of one patient's windows, thinned evenly where there are more
    anchors: int = 16  # instants a stay at which registers are kept ready
    learning_rate: float = 2e-3
    warm_up: int = 50
    weight_decay: float = 0.02
    momentum: float = 0.99  # of the teacher
    latent_weight: float = (
        0.1  # value loss of tuning patients (71 simulated, records only): 0: .224, 0.1: .225, 0.5: .230
    )
    grounding_weight: float = 1.0
    presence_weight: float = 0.2
    variance_weight: float = 0.5
    covariance_weight: float = 0.05
    inverse_weight: float = 0.1
    rollout_weight: float = 0.2
    unknown_plan: float = 0.4  # share of windows predicted without knowing the treatments
    drop_sensor: float = 0.25  # share of windows in which some codes or a modality are hidden
    threads: int = 1  # tensors are small; and the result does not depend on the number of cores
    check_every: int = 100  # steps between validations
    collapse_rank: float = 1.5  # effective rank of z below which a run is stopped
