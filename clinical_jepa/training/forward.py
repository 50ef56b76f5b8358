"""One batch through the model: states, predicted windows, targets. Pure functions of a network, a teacher and a batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from clinical_jepa.model import sequences
from clinical_jepa.model.context import Remembered
from clinical_jepa.model.encoders.arrivals import Mixer, Parts, Writes
from clinical_jepa.model.memory.one_step import written
from clinical_jepa.model.network import GROUNDED, WorldModel
from clinical_jepa.training.data import Batch


class Teacher(nn.Module):
    """The slow copy that makes targets: from a window's arrivals alone, with empty memory."""

    def __init__(self, network: WorldModel) -> None:
        super().__init__()
        config = network.config
        self.parts, self.mixer = Parts(config), Mixer(config)
        self.parts.load_state_dict(network.parts.state_dict())
        self.mixer.load_state_dict(network.arrivals.mixer.state_dict())
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Targets ``[B, W, width]`` and ``there [B, W]``: 1 where something came.

        Each code counts once, by the mean of its records; each modality likewise, however many patches it has."""
        shape = batch.target.shape[:2]
        windows, width = shape[0] * shape[1], self.mixer.norm.normalized_shape[0]
        records = self.parts.records(
            batch.next_item[:, 0], batch.next_value, batch.next_item[:, 1], torch.zeros_like(batch.next_value)
        )
        codes = batch.seen.shape[-1]
        total = records.new_zeros(windows, width)
        total.index_add_(0, batch.next_window, records * _share(batch.next_window * codes + batch.next_item[:, 0]))
        patches = self.parts.waveforms(batch.next_samples, batch.next_present)
        total.index_add_(0, batch.next_patch_window, patches * _share(batch.next_patch_window))
        pictures = self.parts.pictures(batch.next_pixels)
        total.index_add_(0, batch.next_picture_window, pictures * _share(batch.next_picture_window))
        places = torch.cat([batch.next_window, batch.next_patch_window, batch.next_picture_window])
        there = total.new_zeros(windows).index_fill(0, places, 1.0)
        return layer_norm(self.mixer(total), (width,)).view(*shape, width), there.view(shape)


def _share(group: Tensor) -> Tensor:
    """One over the size of each entry's group, ``[N, 1]``."""
    if not len(group):
        return group.new_zeros(0, 1, dtype=torch.float32)
    return (1.0 / torch.bincount(group)[group])[:, None]


@dataclass(frozen=True, kw_only=True)
class Context:
    """Where a batch's patients stand: all that is remembered, the state made of it, and S's decay an hour."""

    known: Remembered
    z: Tensor
    rate: Tensor


def encode(network: WorldModel, batch: Batch) -> Writes:
    """What the arrivals of the prefixes write."""
    parts, count = network.parts, len(batch.kind)
    records = parts.records(batch.item[:, 0], batch.item_value[:, 0], batch.item[:, 1], batch.item_value[:, 1])
    total = records.new_zeros(count, network.config.width).index_add(0, batch.item_arrival, records)
    if len(batch.samples):
        total = total.index_add(0, batch.patch_arrival, parts.waveforms(batch.samples, batch.present))
    if len(batch.pixels):
        total = total.index_add(0, batch.picture_arrival, parts.pictures(batch.pixels))
    writes: Writes = network.arrivals(total, batch.kind, batch.silence)
    return writes


def context(network: WorldModel, batch: Batch) -> Context:
    """The states of a batch's patients at their anchors."""
    config, writes = network.config, encode(network, batch)
    state, rate = sequences.run(
        writes,
        index=batch.index,
        hours=batch.hours,
        hidden=batch.hidden,
        base_rate=network.base_rate(),
        heads=(config.heads, config.key, config.value),
    )
    age = batch.fact_age.masked_fill(batch.hidden, -1.0)
    slots = sequences.facts(writes, index=batch.index, age=age, slots=config.facts)
    known = sequences.remembered(batch.registers, slots, state, rate, batch.since_last)
    return Context(known=known, z=network.context(known), rate=rate)


def plans(network: WorldModel, batch: Batch) -> Tensor:
    """The treatments up to each horizon, ``[B, W, width]``; unknown where the batch says so."""
    code, text = batch.action.unbind(dim=1)
    z, offset = batch.action_value.unbind(dim=1)
    items = network.parts.records(code, z, text, torch.zeros_like(z))
    shape = (batch.target.shape[0], batch.target.shape[1])
    told = network.predictor.actions(items, offset, batch.action_window, shape)
    return torch.where(batch.unknown[:, None, None], network.predictor.unknown(*shape), told)


def predict(network: WorldModel, z: Tensor, plan: Tensor) -> Tensor:
    """Hidden predictions ``[B, W, width]`` at the model's horizons."""
    hidden: Tensor = network.predictor(z, plan, torch.tensor(network.config.horizons_h))
    return hidden


def grounded(network: WorldModel, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """Values ``[B, W, 3, V]`` (mean, lowest, highest z) and logits of presence ``[B, W, V]``."""
    values = network.values(hidden).unflatten(-1, (GROUNDED, -1))
    return values, network.presence(hidden)


def roll(network: WorldModel, here: Context, window: Tensor, hours: float) -> Tensor:
    """z after a predicted window ``[B, width]`` of that length came back as an arrival: registers and facts only age."""
    writes = network.write_window(window)
    g = writes.log_gate - here.rate * hours
    fast = written(k=writes.k, v=writes.v, beta=writes.beta, g=g, state=here.known.fast)
    z: Tensor = network.context(replace(here.known, fast=fast, fact_age=here.known.fact_age + hours))
    return z
