"""Linear quantiles of the vitals' change from now, all vitals, horizons and quantiles at once, by the pinball loss."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from clinical_jepa.model.threads import one_thread

STEPS, BATCH, CHECK, RATE = 500, 2048, 50, 1e-2


def fit(
    x: np.ndarray, change: np.ndarray, tune_x: np.ndarray, tune_change: np.ndarray, *, quantiles: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """``(weight [V, T, Q, D], bias [V, T, Q])`` float32, in the vitals' units; ``change [N, V, T]`` is NaN where unknown.

    Starts from the changes' own quantiles and keeps the step with the least loss on the tuning rows.
    """
    start, spread = _quantiles(change, quantiles), _spread(change)
    moving = np.flatnonzero(np.abs(x).max(axis=0, initial=0.0) > 0)
    data = [_tensors(x[:, moving], change / spread), _tensors(tune_x[:, moving], tune_change / spread)]
    with one_thread():
        weight, bias = _descend(
            data, torch.tensor(start / spread[..., None], dtype=torch.float32), torch.tensor(quantiles)
        )
    full = np.zeros((*start.shape, x.shape[1]), np.float32)
    full[..., moving] = weight * spread[..., None, None]
    return full, (bias * spread[..., None]).astype(np.float32)


def pinball(offsets: Tensor, change: Tensor, quantiles: Tensor) -> Tensor:
    """Mean pinball loss of ``offsets [N, V, T, Q]`` against ``change [N, V, T]``, rows that are NaN left out."""
    off = change[..., None] - offsets
    known = torch.isfinite(off)
    off = torch.where(known, off, 0.0)
    return torch.maximum(quantiles * off, (quantiles - 1) * off).sum() / known.sum().clamp(min=1)


def _descend(data: list[tuple[Tensor, Tensor]], start: Tensor, quantiles: Tensor) -> tuple[np.ndarray, np.ndarray]:
    (x, change), (tune_x, tune_change) = data
    shape = start.shape
    weight = torch.zeros(start.numel(), x.shape[1], requires_grad=True)
    bias = start.clone().requires_grad_(True)
    optimizer = torch.optim.AdamW(
        [{"params": [weight], "weight_decay": 0.1}, {"params": [bias], "weight_decay": 0.0}], lr=RATE
    )
    draw = torch.Generator().manual_seed(0)
    kept = (torch.inf, weight.detach().clone(), bias.detach().clone())
    for step in range(STEPS + 1):
        if step % CHECK == 0:
            with torch.no_grad():
                here = float(pinball((tune_x @ weight.T).view(-1, *shape) + bias, tune_change, quantiles))
            if here < kept[0]:
                kept = (here, weight.detach().clone(), bias.detach().clone())
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / (STEPS + 1))
        rows = torch.randint(len(x), (min(BATCH, len(x)),), generator=draw)
        loss = pinball((x[rows] @ weight.T).view(-1, *shape) + bias, change[rows], quantiles)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return kept[1].view(*shape, -1).numpy(), kept[2].numpy()


def _tensors(x: np.ndarray, change: np.ndarray) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(np.ascontiguousarray(x, np.float32)), torch.from_numpy(change.astype(np.float32))


def _quantiles(change: np.ndarray, quantiles: tuple[float, ...]) -> np.ndarray:
    """The changes' own quantiles ``[V, T, Q]``; 0 where none is known."""
    found = np.zeros((*change.shape[1:], len(quantiles)))
    for place in np.ndindex(*change.shape[1:]):
        known = change[(slice(None), *place)]
        known = known[np.isfinite(known)]
        if len(known):
            found[place] = np.quantile(known, quantiles)
    return found


def _spread(change: np.ndarray) -> np.ndarray:
    """A robust deviation ``[V, T]`` of the changes, at least 0.1, 1 where none is known."""
    low, _, high = np.moveaxis(_quantiles(change, (0.16, 0.5, 0.84)), -1, 0)
    known = np.isfinite(change).any(axis=0)
    return np.where(known, np.maximum((high - low) / 2, 0.1), 1.0)
