"""Signs of collapse, read from a batch of states of different patients."""

from __future__ import annotations

import torch
from torch import Tensor


def rankme(z: Tensor) -> float:
    """Effective rank of ``z [N, d]``: the exponential of the entropy of its centred singular values, 1 to d.

    Garrido et al., 2023, arXiv:2210.02885, on centred rows.
    """
    values = torch.linalg.svdvals(z.detach().double() - z.detach().double().mean(dim=0))
    share = values / values.sum().clamp(min=1e-12)
    return float(torch.exp(-(share * (share + 1e-12).log()).sum()))


def spread(z: Tensor) -> float:
    """Mean over dimensions of the deviation of ``z [N, d]`` between patients."""
    return float(z.detach().std(dim=0).mean())
