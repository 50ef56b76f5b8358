"""Batches for pretraining: for each of some patients the newest arrivals before an anchor, and what came after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from clinical_jepa.model.batch import GAP, IMAGE, WAVEFORM, is_treatment
from clinical_jepa.model.memory.registers import GENERAL, PER_CODE
from clinical_jepa.records.instant import HOUR
from clinical_jepa.training.config import TrainConfig
from clinical_jepa.training.corpus import Corpus, ranges
from clinical_jepa.vocabulary.codes import code_count, codes

PATCHES = 4  # of a window's target


@dataclass(frozen=True, kw_only=True)
class Batch:
    """B windows. Prefix: ``index [B, T]`` into A arrivals (A where padded), ``hours`` since the one before.

    Parts of the prefix and of the future point at an arrival (``*_arrival``) or a window (``*_window`` = b * W + w).
    ``target``, ``seen``: mean, lowest, highest z of each code in each window, ``[B, W, 3, V]`` and ``[B, W, V]``.
    """

    index: Tensor
    hours: Tensor
    since_last: Tensor  # [B], hours from the newest arrival to the anchor
    kind: Tensor
    silence: Tensor
    hidden: Tensor  # [A], arrivals of a hidden modality
    fact_age: Tensor  # [A], hours to the anchor
    item: Tensor  # [N, 2] code, text
    item_value: Tensor  # [N, 2] z, lag
    item_arrival: Tensor
    samples: Tensor
    present: Tensor
    patch_arrival: Tensor
    pixels: Tensor
    picture_arrival: Tensor
    registers: Tensor
    next_item: Tensor  # [K, 2] code, text: what comes, without statics and treatments
    next_value: Tensor  # [K] z
    next_window: Tensor
    next_samples: Tensor
    next_present: Tensor
    next_patch_window: Tensor
    next_pixels: Tensor
    next_picture_window: Tensor
    action: Tensor  # [J, 2] code, text
    action_value: Tensor  # [J, 2] z, hours from the anchor
    action_window: Tensor
    unknown: Tensor  # [B] bool: the plan is not told
    target: Tensor
    seen: Tensor
    treated: Tensor  # [B, W, treatments] 1 where such a treatment was charted up to the horizon

    def to(self, device: torch.device | str, **_: object) -> Batch:
        """The same batch on a device (Lightning moves batches by this method)."""
        return Batch(**{f.name: getattr(self, f.name).to(device) for f in fields(Batch)})


@cache
def is_target() -> np.ndarray:
    """Which codes are predicted: what happens to a patient, not who they are, where they lie or what is done."""
    flags = np.ones(code_count(), dtype=bool)
    flags[[code.id for code in codes() if code.kind in ("static", "stay", "treatment", "condition")]] = False
    return flags


class Windows(IterableDataset[Batch]):
    """Batch i is drawn from a generator seeded by (seed, i): a resumed run sees what an unbroken one would."""

    def __init__(self, corpus: Corpus, config: TrainConfig, *, first: int, last: int, fixed: bool = False) -> None:
        super().__init__()
        self._corpus, self._config, self._steps, self._fixed = corpus, config, range(first, last), fixed

    def __iter__(self) -> Iterator[Batch]:
        for step in self._steps:
            rng = np.random.default_rng((self._config.seed, 3 if self._fixed else 2, step))
            yield collate(
                self._corpus, draw(self._corpus, self._config.batch, rng), self._config, rng, plain=self._fixed
            )

    def __len__(self) -> int:
        return len(self._steps)


def draw(corpus: Corpus, number: int, rng: np.random.Generator) -> np.ndarray:
    """Anchors of a batch: one random window of each of ``number`` different patients (all, where there are fewer)."""
    rows, first, count = np.unique(corpus.anchor_row, return_index=True, return_counts=True)
    chosen = rng.permutation(len(rows))[:number]
    return np.asarray(first[chosen] + (rng.random(len(chosen)) * count[chosen]).astype(np.int64))


def collate(
    corpus: Corpus, anchors: np.ndarray, config: TrainConfig, rng: np.random.Generator, *, plain: bool = False
) -> Batch:
    """The batch of these anchors; ``plain`` hides nothing and tells every plan."""
    hide = _hidden(len(anchors), config, rng, plain)
    columns = _prefix(corpus, anchors, config, hide) | _future(corpus, anchors, config, rng)
    columns["unknown"] = np.zeros(len(anchors), bool) if plain else rng.random(len(anchors)) < config.unknown_plan
    return Batch(**{f.name: torch.from_numpy(np.ascontiguousarray(columns[f.name])) for f in fields(Batch)})


def _hidden(count: int, config: TrainConfig, rng: np.random.Generator, plain: bool) -> tuple[np.ndarray, np.ndarray]:
    """Codes ``[B, V]`` and kinds ``[B, 6]`` that are hidden from the context, as a sensor that was never there."""
    some = np.zeros(count, bool) if plain else rng.random(count) < config.drop_sensor
    codes_ = (rng.random((count, config.model.codes)) < 0.15) & some[:, None]
    kinds = np.zeros((count, 6), bool)
    kinds[:, [WAVEFORM, IMAGE]] = (rng.random((count, 2)) < 0.4) & some[:, None]
    return codes_, kinds


def _prefix(
    corpus: Corpus, anchors: np.ndarray, config: TrainConfig, hide: tuple[np.ndarray, np.ndarray]
) -> dict[str, np.ndarray]:
    stream, row, end = corpus.stream, corpus.anchor_row[anchors], corpus.anchor_end[anchors]
    begin = np.maximum(corpus.row_start[row], end - config.prefix)
    arrival, sample = ranges(begin, end)
    length, count = end - begin, len(arrival)
    offset = np.cumsum(length) - length
    place = np.arange(max(int(length.max(initial=0)), 1))
    index = np.where(place < length[:, None], offset[:, None] + place, count)
    time = stream.time[arrival]
    before = np.where(np.arange(count) > 0, np.roll(time, 1), time)
    before[offset[length > 0]] = time[offset[length > 0]]  # the first of a prefix follows nothing
    items, of_item = ranges(corpus.item_start[arrival], corpus.item_start[arrival + 1])
    told = ~hide[0][sample[of_item], stream.code[items]]
    items, of_item = items[told], of_item[told]
    patches, of_patch = ranges(corpus.patch_start[arrival], corpus.patch_start[arrival + 1])
    pictures, of_picture = ranges(corpus.picture_start[arrival], corpus.picture_start[arrival + 1])
    kind = stream.kind[arrival]
    empty = np.bincount(of_item, minlength=count) == 0
    newest = np.where(length > 0, stream.time[end - 1], corpus.anchor_time[anchors])
    return {
        "index": index,
        "hours": _hours(time - before),
        "since_last": _hours(corpus.anchor_time[anchors] - newest),
        "kind": kind,
        "silence": stream.silence[arrival],
        "hidden": hide[1][sample, kind] | (empty & (kind < WAVEFORM)),
        "fact_age": np.where(kind == GAP, -1.0, _hours(corpus.anchor_time[anchors][sample] - time)).astype(np.float32),
        "item": np.stack([stream.code[items], stream.text[items]], axis=1),
        "item_value": np.stack([corpus.z[items], stream.lag[items]], axis=1),
        "item_arrival": of_item,
        "samples": stream.samples[patches].astype(np.float32),
        "present": stream.present[patches].astype(np.float32),
        "patch_arrival": of_patch,
        "pixels": stream.pixels[pictures],
        "picture_arrival": of_picture,
        "registers": _registers(corpus, anchors, hide[0]),
    }


def _registers(corpus: Corpus, anchors: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    found: np.ndarray = corpus.registers[anchors].astype(np.float32)
    per_code = found[:, : -len(GENERAL)].reshape(len(found), -1, len(PER_CODE))  # a view
    per_code[hidden] = 0
    return found


def _future(
    corpus: Corpus, anchors: np.ndarray, config: TrainConfig, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    stream, row, now = corpus.stream, corpus.anchor_row[anchors], corpus.anchor_time[anchors]
    edges = (np.array(config.model.horizons_h) * HOUR).astype(np.int64)
    bounds = [
        np.array([r0 + np.searchsorted(corpus.sorted_time[r0:r1], t, side="right") for r0, r1, t in rows])
        for rows in (
            list(zip(corpus.row_items[row], corpus.row_items[row + 1], now + ahead, strict=True))
            for ahead in (0, int(edges[-1]))
        )
    ]
    place, sample = ranges(*bounds)
    items = corpus.by_time[place]
    size = np.bincount(sample, minlength=len(anchors))
    keep = rng.random(len(items)) * size[sample] < config.future_items
    keep &= stream.time[stream.item_arrival[items]] > now[sample]  # not yet known: no plans made before
    items, sample = items[keep], sample[keep]
    window = np.searchsorted(edges, stream.item_time[items] - now[sample]) + sample * len(edges)
    acts, comes = is_treatment()[stream.code[items]], is_target()[stream.code[items]]
    shape = (len(anchors), len(edges))
    offset = _hours(stream.item_time[items] - now[sample])
    return {
        "next_item": np.stack([stream.code[items], stream.text[items]], axis=1)[comes],
        "next_value": corpus.z[items][comes],
        "next_window": window[comes],
        "action": np.stack([stream.code[items], stream.text[items]], axis=1)[acts],
        "action_value": np.stack([corpus.z[items], offset], axis=1)[acts],
        "action_window": window[acts],
        **_values(stream.code[items][comes], corpus.z[items][comes], window[comes], shape),
        "treated": _treated(stream.code[items][acts], window[acts], shape),
        **_arrays(corpus, row, now, edges, rng),
    }


def _values(code: np.ndarray, z: np.ndarray, window: np.ndarray, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    valued = np.isfinite(z)
    key, z = (window * code_count() + code)[valued], z[valued].astype(np.float64)
    size = shape[0] * shape[1] * code_count()
    number = np.bincount(key, minlength=size)
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, key, z)
    np.maximum.at(high, key, z)
    mean = np.bincount(key, z, minlength=size) / np.maximum(number, 1)
    columns = [np.where(number > 0, x, 0.0).reshape(*shape, code_count()) for x in (mean, low, high)]
    came = np.bincount(window * code_count() + code, minlength=size) > 0
    return {
        "target": np.stack(columns, axis=2).astype(np.float32),
        "seen": (number > 0).reshape(*shape, -1).astype(np.float32) + (came & (number == 0)).reshape(*shape, -1) * 0.5,
    }


def _treated(code: np.ndarray, window: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    ids = np.flatnonzero(is_treatment())
    flags = np.zeros((shape[0] * shape[1], len(ids)), np.float32)
    flags[window, np.searchsorted(ids, code)] = 1
    return np.maximum.accumulate(flags.reshape(*shape, -1), axis=1)


def _arrays(
    corpus: Corpus, row: np.ndarray, now: np.ndarray, edges: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """A few patches and all pictures of each window."""
    stream, found = corpus.stream, {}
    for name, most in (("patch", PATCHES), ("picture", PATCHES)):
        starts = getattr(corpus, f"{name}_start")
        index, sample = ranges(starts[corpus.row_start[row]], starts[corpus.row_start[row + 1]])
        ahead = getattr(stream, f"{name}_time")[index] - now[sample]
        inside = (ahead > 0) & (ahead <= edges[-1])
        index, window = index[inside], (np.searchsorted(edges, ahead) + sample * len(edges))[inside]
        size = np.bincount(window, minlength=len(row) * len(edges))
        keep = rng.random(len(index)) * size[window] < most
        found[name] = (index[keep], window[keep])
    patches, pictures = found["patch"], found["picture"]
    return {
        "next_samples": stream.samples[patches[0]].astype(np.float32),
        "next_present": stream.present[patches[0]].astype(np.float32),
        "next_patch_window": patches[1],
        "next_pixels": stream.pixels[pictures[0]],
        "next_picture_window": pictures[1],
    }


def _hours(duration: np.ndarray) -> np.ndarray:
    return np.asarray(duration / HOUR, dtype=np.float32)
