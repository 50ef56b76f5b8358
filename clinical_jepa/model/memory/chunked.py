"""The gated delta memory for training: chunks of 32 events by matrix products, equal to ``naive`` in value and gradient.

Inside a chunk, in log space with γ_t = exp(Σ_{i<=t} g_i) and Γ_ti = γ_t / γ_i = exp(Σ_{i<j<=t} g_j) for t >= i:

    A = strictly_lower(diag(β) (K Kᵀ ⊙ Γ)),   [U W] = (I + A)⁻¹ [diag(β) V, diag(β) diag(γ) K],   Ṽ = U - W S₀
    O = diag(γ) Q S₀ + (Q Kᵀ ⊙ Γ ⊙ lower) Ṽ,   S_C = γ_C S₀ + (diag(γ_C / γ) K)ᵀ Ṽ

Γ is masked before the exponential and never a quotient of two products, so strong decay gives 0 and not NaN.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

CHUNK = 32


def chunked(
    *, q: Tensor | None, k: Tensor, v: Tensor, beta: Tensor, g: Tensor, state: Tensor, chunk: int = CHUNK
) -> tuple[Tensor | None, Tensor]:
    """``(o, S)`` as ``naive.naive`` gives them, whatever the chunk. Half precision is raised to float32 inside."""
    length = k.shape[1]
    state = _full(state)
    k, v, beta, g = (_split(_full(x), chunk) for x in (k, v, beta, g))
    log_total = g.double().cumsum(dim=-1)  # log γ, [B, H, N, C]; doubles, as differences of it are taken
    ratio = _ratio(log_total, k.dtype)
    total = log_total.to(k.dtype)
    lower = (beta[..., None] * (k @ k.mT) * ratio).tril(-1)
    right = torch.cat([beta[..., None] * v, (beta * total.exp())[..., None] * k], dim=-1)
    solved = torch.linalg.solve_triangular(lower, right, upper=False, unitriangular=True)
    u, w = solved.split([v.shape[-1], k.shape[-1]], dim=-1)
    kept = (log_total[..., -1:] - log_total).exp().to(k.dtype)[..., None] * k  # diag(γ_C / γ) K
    starts, writes = [], []
    for n in range(k.shape[2]):
        starts.append(state)
        writes.append(u[:, :, n] - w[:, :, n] @ state)
        state = total[:, :, n, -1].exp()[..., None, None] * state + kept[:, :, n].mT @ writes[-1]
    if q is None or not starts:
        return None if q is None else v.new_zeros(v.shape[0], length, v.shape[1], v.shape[-1]), state
    q = _split(_full(q), chunk)
    out = total.exp()[..., None] * (q @ torch.stack(starts, 2)) + (q @ k.mT * ratio) @ torch.stack(writes, 2)
    return out.flatten(2, 3).transpose(1, 2)[:, :length], state


def _full(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def _split(x: Tensor, chunk: int) -> Tensor:
    """``[B, T, H, …]`` to ``[B, H, N, C, …]``; the tail is padded with events that do nothing (β = 0, g = 0)."""
    x = x.transpose(1, 2)
    extra = -x.shape[2] % chunk
    x = pad(x, (0, 0) * (x.dim() - 3) + (0, extra))
    return x.reshape(*x.shape[:2], -1, chunk, *x.shape[3:])


def _ratio(total: Tensor, dtype: torch.dtype) -> Tensor:
    """Γ ``[…, C, C]``, 0 above the diagonal."""
    size = total.shape[-1]
    future = torch.ones(size, size, dtype=torch.bool, device=total.device).triu(1)
    return (total[..., :, None] - total[..., None, :]).to(dtype).masked_fill(future, -torch.inf).exp()
