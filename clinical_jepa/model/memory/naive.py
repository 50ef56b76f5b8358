"""The gated delta memory by its definition: one event after the other. Slow, and what the other forms are held to.

    S_t = α_t S_{t-1} + k_t u_tᵀ,   u_t = β_t (v_t - (α_t S_{t-1})ᵀ k_t),   o_t = S_tᵀ q_t,   α_t = exp(g_t)

Gated DeltaNet (Yang, Kautz, Hatamizadeh, 2025, arXiv:2412.06464); here g carries true time between arrivals.
"""

from __future__ import annotations

import torch
from torch import Tensor


def naive(
    *, q: Tensor | None, k: Tensor, v: Tensor, beta: Tensor, g: Tensor, state: Tensor
) -> tuple[Tensor | None, Tensor]:
    """``(o [B, T, H, dv], S [B, H, dk, dv])``; o is None where q is.

    q, k ``[B, T, H, dk]`` (k of unit length), v ``[B, T, H, dv]``, beta in [0, 2] and g = log α <= 0 ``[B, T, H]``,
    state ``[B, H, dk, dv]``. beta = 0 with g = 0 leaves the state as it is.
    """
    outputs = []
    for t in range(k.shape[1]):
        decayed = g[:, t].exp()[..., None, None] * state
        u = beta[:, t][..., None] * (v[:, t] - torch.einsum("bhkv,bhk->bhv", decayed, k[:, t]))
        state = decayed + k[:, t][..., None] * u[..., None, :]
        if q is not None:
            outputs.append(torch.einsum("bhkv,bhk->bhv", state, q[:, t]))
    return (torch.stack(outputs, dim=1) if outputs else None), state
