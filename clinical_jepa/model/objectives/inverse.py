"""Inverse dynamics: which treatments lie between a state and a window that came after it.

The window's encoding holds no treatments (they are hidden from the target encoder), so the head cannot copy the chart.
After eb_jepa's ablation of an action-conditioned JEPA.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def inverse(logit: Tensor, treated: Tensor, there: Tensor) -> Tensor:
    """Cross-entropy of ``treated [B, W, J]``, averaged over windows that exist (``there [B, W]``)."""
    each = binary_cross_entropy_with_logits(logit, treated, reduction="none").mean(dim=-1)
    return (each * there).sum() / there.sum().clamp(min=1)
