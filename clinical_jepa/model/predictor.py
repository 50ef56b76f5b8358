"""ŷ(t, h): what the window that ends at t + h will look like, given the state, the horizon and the treatments until then.

Asked by horizon, never by the times of true future events. Treatments modulate it by AdaLN-zero (Peebles and Xie,
2023, arXiv:2212.09748), with explicit *none* and *unknown*.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from clinical_jepa.model.config import ModelConfig
from clinical_jepa.model.encoders.records import delays

NONE, UNKNOWN = 0, 1
BLOCKS = 2


class Predictor(nn.Module):
    """``forward(z [B, width], action [B, W, width], hours [W]) -> hidden [B, W, width]``; ``latent`` of it is ŷ."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.width = width
        self.plan = nn.Embedding(2, width)
        self.plan_time = nn.Linear(3, width)
        self.horizon = nn.Sequential(nn.Linear(9, width), nn.GELU(), nn.Linear(width, width))
        change = nn.Linear(width, 3 * BLOCKS * width)
        self.modulate = nn.Sequential(nn.SiLU(), change)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)) for _ in range(BLOCKS)
        )
        self.latent = nn.Linear(width, width)
        nn.init.normal_(change.weight, std=1e-3)
        nn.init.zeros_(change.bias)

    def forward(self, z: Tensor, action: Tensor, hours: Tensor) -> Tensor:
        condition = self.horizon(_horizons(hours)) + action
        hidden = z[:, None].expand_as(condition)
        for block, changes in zip(self.blocks, self.modulate(condition).chunk(BLOCKS, dim=-1), strict=True):
            shift, scale, gate = changes.chunk(3, dim=-1)
            normal = layer_norm(hidden, (self.width,)) * (1 + scale) + shift
            hidden = hidden + (0.1 + gate) * block(normal)
        return hidden

    def window(self, hidden: Tensor) -> Tensor:
        """ŷ ``[B, W, width]``, normalised as targets are (no learned scale: it would undo the loss)."""
        return layer_norm(self.latent(hidden), (self.width,))

    def actions(self, items: Tensor, offset: Tensor, place: Tensor, shape: tuple[int, int]) -> Tensor:
        """Plans ``[B, W, width]`` from treatments: encoded ``items [N, width]`` that start ``offset`` hours after t in
        window ``place [N]`` (b * W + w). A horizon's plan holds all treatments up to it; *none* where there is none."""
        rows, windows = shape
        total = items.new_zeros(rows * windows, self.width)
        total = total.index_add(0, place, items + self.plan_time(delays(offset)))
        count = items.new_zeros(rows * windows).index_add(0, place, torch.ones_like(offset))
        total, count = (x.view(rows, windows, -1).cumsum(dim=1) for x in (total, count))
        return layer_norm(total, (self.width,)) * (count > 0) + self.plan.weight[NONE] * (count == 0)

    def unknown(self, rows: int, windows: int) -> Tensor:
        """The plan of which nothing is known, ``[B, W, width]``."""
        return self.plan.weight[UNKNOWN].expand(rows, windows, self.width)


def _horizons(hours: Tensor) -> Tensor:
    x = (hours / 24).log2()
    waves = x[:, None] * torch.tensor([0.5, 1.0, 2.0, 4.0], device=x.device)
    return torch.cat([x[:, None] / 4, waves.sin(), waves.cos()], dim=-1)
