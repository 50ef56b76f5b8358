"""The gated delta memory for serving: exactly one event a row, by operations whose bits do not depend on other rows.

Only products and sums over d_k, no matrix product: called with one fixed number of rows (``serving.py``), a row's
result is the same whoever stands beside it.
"""

from __future__ import annotations

from torch import Tensor


def one_step(
    *, q: Tensor | None, k: Tensor, v: Tensor, beta: Tensor, g: Tensor, state: Tensor
) -> tuple[Tensor | None, Tensor]:
    """``(o, S)`` as ``naive.naive`` gives them, for T = 1."""
    if k.shape[1] != 1:
        raise ValueError(f"one step takes one event a row, not {k.shape[1]}")
    key = k[:, 0, :, :, None]
    decayed = g[:, 0].exp()[..., None, None] * state
    u = beta[:, 0][..., None] * (v[:, 0] - (decayed * key).sum(dim=-2))
    state = decayed + key * u[..., None, :]
    return (None if q is None else (state * q[:, 0, :, :, None]).sum(dim=-2)[:, None]), state


def written(*, k: Tensor, v: Tensor, beta: Tensor, g: Tensor, state: Tensor) -> Tensor:
    """S after one event a row, given without an axis of time: ``k [B, H, dk]``, ``v [B, H, dv]``, ``beta, g [B, H]``."""
    k, v, beta, g = (x[:, None] for x in (k, v, beta, g))
    return one_step(q=None, k=k, v=v, beta=beta, g=g, state=state)[1]
