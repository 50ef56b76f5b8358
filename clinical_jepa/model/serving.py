"""The network in fixed row blocks: a patient's bits do not depend on who else is in the batch.

The bits of a matrix product depend on its shape and on the number of threads, not on the other rows. So every served
layer runs on blocks of one size (the last one padded), on one thread, and sums over an arrival's parts in their order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from clinical_jepa.model.batch import GAP, Stream
from clinical_jepa.model.context import Remembered
from clinical_jepa.model.encoders.arrivals import Writes
from clinical_jepa.model.memory import facts
from clinical_jepa.model.memory.one_step import written
from clinical_jepa.model.network import Model
from clinical_jepa.records.instant import HOUR

ITEM_BLOCK, ARRIVAL_BLOCK, PATCH_BLOCK, PICTURE_BLOCK, PATIENT_BLOCK = 512, 128, 8, 4, 128


def blockwise(function: Callable[..., Tensor], size: int, *arrays: Tensor) -> Tensor:
    """``function`` of rows, in blocks of exactly ``size`` (zero rows fill the last one)."""
    count = len(arrays[0])
    found = []
    for first in range(0, count, size):
        block = [x[first : first + size] for x in arrays]
        short = size - len(block[0])
        if short:
            block = [torch.cat([x, x.new_zeros(short, *x.shape[1:])]) for x in block]
        found.append(function(*block)[: size - short])
    return torch.cat(found)


def encode(model: Model, stream: Stream) -> Writes:
    """What each arrival of the stream writes; call within ``one_thread``."""
    network, count = model.network, len(stream.time)
    total = torch.zeros(count, model.config.width)
    for arrival, size, encoder, columns in _parts(model, stream):
        if len(arrival):
            tensors = [torch.from_numpy(np.ascontiguousarray(x)) for x in columns]
            total.index_add_(0, torch.from_numpy(arrival), blockwise(encoder, size, *tensors))
    kind, silence = torch.from_numpy(stream.kind), torch.from_numpy(stream.silence)
    blocks: list[Writes] = []

    def write(*block: Tensor) -> Tensor:
        blocks.append(network.arrivals(*block))
        return block[0]

    if count:
        blockwise(write, ARRIVAL_BLOCK, total, kind, silence)
    else:
        write(total, kind, silence)
    names = [field.name for field in fields(Writes)]
    return Writes(**{name: torch.cat([getattr(b, name) for b in blocks])[:count] for name in names})


def _parts(model: Model, stream: Stream) -> list[tuple[np.ndarray, int, Callable[..., Tensor], list[np.ndarray]]]:
    parts, normaliser = model.network.parts, model.normaliser
    center, scale = normaliser.channel_center[:, None], normaliser.channel_scale[:, None]
    items = [stream.code, normaliser.z(stream.code, stream.value), stream.text, stream.lag]
    patches = [((stream.samples - center) / scale).astype(np.float32), stream.present]
    return [
        (stream.item_arrival, ITEM_BLOCK, parts.records, items),
        (stream.patch_arrival, PATCH_BLOCK, parts.waveforms, patches),
        (stream.picture_arrival, PICTURE_BLOCK, parts.pictures, [stream.pixels]),
    ]


def remember(rows: np.ndarray, stream: Stream, writes: Writes) -> None:
    """Adds all arrivals to F and S of ``rows``, in place; row i of the stream is record i."""
    spoken = stream.kind != GAP
    first = np.searchsorted(stream.row, np.arange(len(rows)))
    place = np.arange(len(stream.row)) - first[stream.row] + rows["arrivals"][stream.row]
    entry = np.zeros(spoken.sum(), [("fact_time", "<i8"), ("fact_vector", "<f4", writes.vector.shape[1])])
    entry["fact_time"], entry["fact_vector"] = stream.time[spoken], writes.vector.numpy()[spoken]
    facts.update(
        rows, row=stream.row[spoken], order=place[spoken], salience=writes.salience.numpy()[spoken], entry=entry
    )
    counts = np.bincount(stream.row, minlength=len(rows))
    for block in range(0, len(rows), PATIENT_BLOCK):
        inside = slice(block, block + PATIENT_BLOCK)
        _advance(rows[inside], first[inside], counts[inside], stream.time, writes)
    rows["arrivals"] += counts
    for name, mask in (("last_arrival", spoken), ("last_event", np.ones_like(spoken))):
        np.maximum.at(rows[name], stream.row[mask], stream.time[mask])


def _advance(rows: np.ndarray, first: np.ndarray, count: np.ndarray, time: np.ndarray, writes: Writes) -> None:
    """Runs S of one block of patients through their arrivals, one event at a time."""
    steps = int(count.max(initial=0))
    if not steps:
        return
    here = first[:, None] + np.minimum(np.arange(steps), np.maximum(count - 1, 0)[:, None])
    here = np.minimum(here, len(time) - 1)  # one without arrivals may stand after the last of them
    before = np.concatenate([rows["last_event"][:, None], time[here]], axis=1)[:, :-1]
    hours = np.where(rows["arrivals"][:, None] + np.arange(steps) > 0, (time[here] - before) / HOUR, 0.0)
    active = np.arange(steps) < count[:, None]
    index, live, past = (_padded(x) for x in (here, active, np.where(active, hours, 0).astype(np.float32)))
    state, rate = _padded(rows["fast"]), _padded(rows["rate"])
    for t in range(steps):
        now, on = index[:, t], live[:, t]
        g = writes.log_gate[now] - rate * past[:, t, None]
        after = written(k=writes.k[now], v=writes.v[now], beta=writes.beta[now], g=g, state=state)
        state = torch.where(on[:, None, None, None], after, state)
        rate = torch.where(on[:, None], writes.rate[now], rate)
    rows["fast"], rows["rate"] = state[: len(rows)].numpy(), rate[: len(rows)].numpy()


def _padded(x: np.ndarray) -> Tensor:
    full = np.zeros((PATIENT_BLOCK, *x.shape[1:]), x.dtype)
    full[: len(x)] = x
    return torch.from_numpy(full)


def state_vectors(model: Model, rows: np.ndarray, features: np.ndarray, now: np.ndarray) -> np.ndarray:
    """z ``[N, width]`` of records as of ``now [N]``, S decayed to that instant; call within ``one_thread``."""
    age = np.where(rows["fact_salience"] > -np.inf, np.maximum(now[:, None] - rows["fact_time"], 0) / HOUR, 0)
    silent = np.where(rows["arrivals"] > 0, np.maximum(now - rows["last_event"], 0) / HOUR, 0).astype(np.float32)
    columns = (
        features,
        rows["fact_vector"],
        rows["fact_salience"],
        age.astype(np.float32),
        rows["fast"],
        rows["rate"],
        silent,
    )
    tensors = [torch.from_numpy(np.ascontiguousarray(x)) for x in columns]

    def context(registers: Tensor, vector: Tensor, salience: Tensor, age: Tensor, *fast: Tensor) -> Tensor:
        state, rate, past = fast
        z: Tensor = model.network.context(
            Remembered(
                registers=registers,
                fact_vector=vector,
                fact_salience=salience,
                fact_age=age,
                fast=state * (-rate * past[:, None]).exp()[..., None, None],
            )
        )
        return z

    return blockwise(context, PATIENT_BLOCK, *tensors).numpy()
