"""Grounding: the values that come in a window, by code, and which codes come at all. Keeps z tied to what is measured."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, huber_loss


def values(predicted: Tensor, target: Tensor, seen: Tensor) -> Tensor:
    """Huber loss of mean, lowest and highest z, ``[B, W, 3, V]``, averaged over (window, code) pairs with ``seen`` 1.

    A code counts once a window however often it was measured, so that a monitor does not drown the laboratory.
    """
    mask = (seen == 1).to(predicted.dtype)[:, :, None]
    each = huber_loss(predicted, target.clamp(-6, 6), reduction="none") * mask
    return each.sum() / (mask.sum() * predicted.shape[2]).clamp(min=1)


def presence(logit: Tensor, seen: Tensor) -> Tensor:
    """Cross-entropy of which codes come in a window at all, ``[B, W, V]``."""
    return binary_cross_entropy_with_logits(logit, (seen > 0).to(logit.dtype))
