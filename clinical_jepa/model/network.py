"""All learned parts of the world model in one module; everything that calls them in order stands elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clinical_jepa.model.batch import IMAGINED, is_treatment
from clinical_jepa.model.config import ModelConfig
from clinical_jepa.model.context import Context
from clinical_jepa.model.encoders.arrivals import ArrivalEncoder, Parts, Writes
from clinical_jepa.model.normaliser import Normaliser
from clinical_jepa.model.predictor import Predictor

GROUNDED = 3  # mean, lowest and highest z of each code in a window


class WorldModel(nn.Module):
    """Encoders of arrivals, the context that makes z, the predictor, and its heads."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.parts = Parts(config)
        self.arrivals = ArrivalEncoder(config)
        self.context = Context(config)
        self.predictor = Predictor(config)
        self.values = nn.Linear(config.width, GROUNDED * config.codes)
        self.presence = nn.Linear(config.width, config.codes)
        self.inverse = nn.Sequential(
            nn.Linear(2 * config.width, config.width), nn.GELU(), nn.Linear(config.width, int(is_treatment().sum()))
        )
        self.imagined = nn.Linear(config.width, config.width)

    def base_rate(self) -> Tensor:
        """Decay an hour before the first arrival, ``[heads]``."""
        return self.arrivals.log_rate.exp()

    def write_window(self, window: Tensor) -> Writes:
        """What a predicted window ``[B, width]`` writes when it comes back as an arrival of its own kind."""
        kind = torch.full((len(window),), IMAGINED, device=window.device)
        writes: Writes = self.arrivals(self.imagined(window), kind, window.new_zeros(len(window)))
        return writes


@dataclass(frozen=True, kw_only=True)
class Model:
    """A network with the normaliser and the configuration that belong to it; ``identity`` hashes all three."""

    network: WorldModel
    normaliser: Normaliser
    config: ModelConfig
    identity: str
