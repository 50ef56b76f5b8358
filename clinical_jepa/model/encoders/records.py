"""One vector for each record: its code, its value bound to that code, its text and how late it came.

``e = E[code] + G[code] ⊙ (W φ(z)) + T[text] + L(lag)`` with φ piecewise linear (Gorishniy et al., 2022,
arXiv:2203.05556). The product with ``G[code]`` binds a value to its code, so that a sum of items keeps who is who.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clinical_jepa.model.config import ModelConfig

KNOTS = (-8.0, -5.0, -3.5, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.5, 5.0, 8.0)


class RecordEncoder(nn.Module):
    """``forward(code [N] int64, z [N] with NaN for no value, text [N] int64, lag [N] hours) -> [N, width]``."""

    knots: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.codes = nn.Embedding(config.codes, 2 * config.width)
        self.texts = nn.Embedding(config.texts, config.width, padding_idx=0)
        self.value = nn.Linear(len(KNOTS) - 1, config.width)
        self.lag = nn.Linear(3, config.width, bias=False)
        self.register_buffer("knots", torch.tensor(KNOTS), persistent=False)
        nn.init.normal_(self.texts.weight, std=0.3)

    def forward(self, code: Tensor, z: Tensor, text: Tensor, lag: Tensor) -> Tensor:
        own, gate = self.codes(code).chunk(2, dim=-1)
        missing = z.isnan()
        value = self.value(pieces(z.masked_fill(missing, 0.0), self.knots)).masked_fill(missing[:, None], 0.0)
        out: Tensor = own + gate * value + self.texts(text) + self.lag(delays(lag))
        return out


def pieces(z: Tensor, knots: Tensor) -> Tensor:
    """Piecewise linear coding ``[N, len(knots) - 1]``: how far z has come through each piece, 0 to 1."""
    return ((z[:, None] - knots[:-1]) / (knots[1:] - knots[:-1])).clamp(0, 1)


def delays(hours: Tensor) -> Tensor:
    """Three features of a duration in hours, ``[N, 3]``: coarse, fine, and whether it lies ahead."""
    size = hours.abs()
    return torch.stack([(1 + size).log() / 4, 1 - (-4 * size).exp(), (hours < 0).to(hours.dtype)], dim=-1)
