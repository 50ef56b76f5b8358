"""One vector for each 10 s patch of the channels present: a small convolutional net without batch statistics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clinical_jepa.model.config import ModelConfig
from clinical_jepa.records.views import PATCH_CHANNELS


class WaveformEncoder(nn.Module):
    """``forward(samples [P, C, L] in channel z, present [P, C, L]) -> [P, width]``."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(2 * len(PATCH_CHANNELS), 16, 9, stride=4, padding=4),
            nn.GroupNorm(4, 16),
            nn.GELU(),
            nn.Conv1d(16, 32, 7, stride=4, padding=3),
            nn.GroupNorm(4, 32),
            nn.GELU(),
            nn.Conv1d(32, 32, 5, stride=2, padding=2),
            nn.GELU(),
        )
        self.out = nn.Linear(64 + 3 * len(PATCH_CHANNELS), config.width)

    def forward(self, samples: Tensor, present: Tensor) -> Tensor:
        signal = samples.clamp(-8, 8) * present
        hidden = self.net(torch.cat([signal, present], dim=1))
        share = present.mean(dim=2)
        mean = signal.mean(dim=2) / share.clamp(min=1e-3)  # the level, which normalised features forget
        power = ((signal - mean[:, :, None]) * present).square().mean(dim=2) / share.clamp(min=1e-3)
        columns = [hidden.mean(dim=2), hidden.amax(dim=2), mean, (power + 1e-6).sqrt(), share]
        out: Tensor = self.out(torch.cat(columns, dim=1))
        return out
