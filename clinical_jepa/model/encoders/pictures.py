"""One vector for each prepared image (``images.prepare``): a small convolutional net without batch statistics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clinical_jepa.model.config import ModelConfig


class PictureEncoder(nn.Module):
    """``forward(pixels [I, 64, 64] in [0, 1]) -> [I, width]``."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2, padding=2),
            nn.GELU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.GroupNorm(4, 16),
            nn.GELU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.GroupNorm(4, 32),
            nn.GELU(),
        )
        self.out = nn.Linear(64 + 64, config.width)

    def forward(self, pixels: Tensor) -> Tensor:
        picture = (pixels[:, None] - 0.5) * 4
        hidden = self.net(picture)
        coarse = nn.functional.avg_pool2d(picture, 8).flatten(1)  # where it is dense, and how much
        out: Tensor = self.out(torch.cat([hidden.mean(dim=(2, 3)), hidden.amax(dim=(2, 3)), coarse], dim=1))
        return out
