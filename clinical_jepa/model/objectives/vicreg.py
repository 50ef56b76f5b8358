"""Terms against collapse, over different patients at one step each: variance and covariance of VICReg.

Bardes, Ponce, LeCun, 2022, arXiv:2105.04906. Never over the instants of one patient: time is no sample.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import relu


def variance(z: Tensor, floor: float = 1.0) -> Tensor:
    """Mean over dimensions of max(0, floor - sd) of ``z [B, d]``; 0 for fewer than two rows."""
    if len(z) < 2:
        return z.new_zeros(())
    return relu(floor - (z.var(dim=0) + 1e-4).sqrt()).mean()


def covariance(z: Tensor) -> Tensor:
    """Sum of squared off-diagonal covariances of ``z [B, d]`` divided by d; 0 for fewer than two rows."""
    if len(z) < 2:
        return z.new_zeros(())
    centred = z - z.mean(dim=0)
    matrix = centred.mT @ centred / (len(z) - 1)
    return (matrix.square().sum() - torch.diagonal(matrix).square().sum()) / z.shape[1]
