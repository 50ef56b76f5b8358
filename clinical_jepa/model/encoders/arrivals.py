"""From the parts of arrivals to what each arrival writes into the memory. The same module trains and serves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, normalize, sigmoid

from clinical_jepa.model.batch import KINDS
from clinical_jepa.model.config import ModelConfig
from clinical_jepa.model.encoders.pictures import PictureEncoder
from clinical_jepa.model.encoders.records import RecordEncoder, delays
from clinical_jepa.model.encoders.waveforms import WaveformEncoder


@dataclass(frozen=True, kw_only=True)
class Writes:
    """What A arrivals write: ``vector [A, width]``, ``k [A, H, dk]`` of unit length, ``v [A, H, dv]``, ``beta``,
    ``log_gate``, ``rate`` (decay an hour *after* this arrival) ``[A, H]``, ``salience [A]``."""

    vector: Tensor
    k: Tensor
    v: Tensor
    beta: Tensor
    log_gate: Tensor
    rate: Tensor
    salience: Tensor


class Parts(nn.Module):
    """The three encoders of parts; a teacher is a slow copy of these and of ``Mixer``."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.records = RecordEncoder(config)
        self.waveforms = WaveformEncoder(config)
        self.pictures = PictureEncoder(config)


class Mixer(nn.Module):
    """A summed arrival ``[A, width]`` to its vector ``[A, width]``: normalised, then one residual layer."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width)
        self.mix = nn.Sequential(
            nn.Linear(config.width, 2 * config.width), nn.GELU(), nn.Linear(2 * config.width, config.width)
        )

    def forward(self, total: Tensor) -> Tensor:
        normal = self.norm(total)
        out: Tensor = normal + self.mix(normal)
        return out


class ArrivalEncoder(nn.Module):
    """``forward(total [A, width], kind [A], silence [A] hours) -> Writes``; total is the sum of an arrival's parts."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.shape = (config.heads, config.key, config.value)
        self.kinds = nn.Embedding(KINDS, config.width)
        self.silence = nn.Linear(3, config.width, bias=False)
        self.mixer = Mixer(config)
        self.key = nn.Linear(config.width, config.heads * config.key)
        self.content = nn.Linear(config.width, config.heads * config.value)
        self.strength = nn.Linear(config.width, 3 * config.heads)  # β, gate, rate
        self.salience = nn.Linear(config.width, 1)
        self.kind_salience = nn.Embedding(KINDS, 1)
        self.log_rate = nn.Parameter(_rates(config))
        nn.init.normal_(self.strength.weight, std=0.01)
        nn.init.zeros_(self.strength.bias)
        nn.init.constant_(self.strength.bias[config.heads : 2 * config.heads], 4.0)  # gate about 0.98
        nn.init.zeros_(self.kind_salience.weight)

    def forward(self, total: Tensor, kind: Tensor, silence: Tensor) -> Writes:
        heads, key, value = self.shape
        vector = self.mixer(total + self.kinds(kind) + self.silence(delays(silence)))
        beta, gate, rate = self.strength(vector).chunk(3, dim=-1)
        return Writes(
            vector=vector,
            k=normalize(self.key(vector).view(-1, heads, key), dim=-1),
            v=self.content(vector).view(-1, heads, value),
            beta=2 * sigmoid(beta),
            log_gate=logsigmoid(gate),
            rate=(self.log_rate + rate.tanh()).exp(),
            salience=self.salience(vector)[:, 0] + self.kind_salience(kind)[:, 0],
        )


def _rates(config: ModelConfig) -> Tensor:
    """Log of ln 2 / half-life, heads spread evenly (in logs) between the shortest and the longest."""
    short, long = (torch.tensor(x).log() for x in config.half_lives_h)
    return -(short + (long - short) * torch.linspace(0, 1, config.heads)) + torch.tensor(2.0).log().log()
