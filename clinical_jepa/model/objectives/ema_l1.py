"""Latent prediction: smooth L1 between predicted and target windows, no gradient into the target.

The target comes from a slow copy of the encoders (BYOL, Grill et al., 2020, arXiv:2006.07733; smooth L1 as in I-JEPA's
and V-JEPA's code). Both sides are layer-normalised without learned scale.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss


def ema_l1(predicted: Tensor, target: Tensor, there: Tensor) -> Tensor:
    """Mean over windows with a target; ``predicted``, ``target`` ``[B, W, d]``, ``there [B, W]`` 1 where one exists."""
    each = smooth_l1_loss(predicted, target.detach(), reduction="none").mean(dim=-1)
    return (each * there).sum() / there.sum().clamp(min=1)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Moves every weight of the teacher a little towards the student's: t <- momentum t + (1 - momentum) s."""
    for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
        slow.lerp_(fast, 1 - momentum)
