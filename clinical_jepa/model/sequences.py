"""Padded prefixes to what is remembered of them: the training form of what ``serving`` does arrival by arrival."""

from __future__ import annotations

import torch
from torch import Tensor

from clinical_jepa.model.context import Remembered
from clinical_jepa.model.encoders.arrivals import Writes
from clinical_jepa.model.memory.chunked import chunked


def run(
    writes: Writes, *, index: Tensor, hours: Tensor, hidden: Tensor, base_rate: Tensor, heads: tuple[int, int, int]
) -> tuple[Tensor, Tensor]:
    """``(S [B, H, dk, dv], rate [B, H])`` after each row's arrivals.

    ``index [B, T]`` into A arrivals, A where padded; ``hours [A]`` since the arrival before (0 for a row's first);
    ``hidden [A]`` arrivals that write nothing.
    """
    live = ~torch.cat([hidden, hidden.new_ones(1)])[index][..., None]

    def rows(x: Tensor) -> Tensor:
        return torch.cat([x, x.new_zeros(1, *x.shape[1:])])[index]

    count = len(index)
    rate = rows(writes.rate)
    before = torch.cat([base_rate.expand(count, 1, -1), rate[:, :-1]], dim=1)
    present = (index < len(hours))[..., None]
    g = torch.where(present, -before * rows(hours)[..., None], 0.0) + torch.where(live, rows(writes.log_gate), 0.0)
    beta = torch.where(live, rows(writes.beta), 0.0)
    start = writes.k.new_zeros(count, *heads)
    _, state = chunked(q=None, k=rows(writes.k), v=rows(writes.v), beta=beta, g=g, state=start)
    last = present[:, :, 0].sum(dim=1)
    known = rate[torch.arange(count), (last - 1).clamp(min=0)]
    return state, torch.where((last > 0)[:, None], known, base_rate)


def facts(writes: Writes, *, index: Tensor, age: Tensor, slots: int) -> tuple[Tensor, Tensor, Tensor]:
    """``(vector [B, K, width], salience [B, K], age [B, K])``: each row's top K arrivals; ``age [A]`` < 0 is no fact."""
    salience = torch.cat([writes.salience.masked_fill(age < 0, -torch.inf), writes.salience.new_full((1,), -torch.inf)])
    vector = torch.cat([writes.vector, writes.vector.new_zeros(1, writes.vector.shape[1])])
    ages = torch.cat([age.clamp(min=0), age.new_zeros(1)])
    best = salience[index].detach().sort(dim=1, descending=True, stable=True).indices[:, :slots]
    chosen = index.gather(1, best)
    if chosen.shape[1] < slots:
        padding = chosen.new_full((len(chosen), slots - chosen.shape[1]), len(writes.salience))
        chosen = torch.cat([chosen, padding], dim=1)
    empty = salience[chosen] == -torch.inf
    return (
        vector[chosen].masked_fill(empty[..., None], 0.0),
        salience[chosen],
        ages[chosen].masked_fill(empty, 0.0),
    )


def remembered(
    registers: Tensor, slots: tuple[Tensor, Tensor, Tensor], state: Tensor, rate: Tensor, since: Tensor
) -> Remembered:
    """All that is known at an instant ``since [B]`` hours after each row's newest arrival."""
    vector, salience, age = slots
    return Remembered(
        registers=registers,
        fact_vector=vector,
        fact_salience=salience,
        fact_age=age,
        fast=state * (-rate * since[:, None]).exp()[..., None, None],
    )
