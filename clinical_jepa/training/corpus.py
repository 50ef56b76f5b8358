"""Whole stays as flat arrays, with registers kept ready at anchors: what batches are cut from.

A slice of a whole stay holds the newest revision of each fact, at the time that revision came: an earlier, wrong version
is not seen in training. Nothing is seen before it was available.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from clinical_jepa.model.batch import GAP, Stream, stream
from clinical_jepa.model.config import ModelConfig
from clinical_jepa.model.memory import registers, state
from clinical_jepa.model.normaliser import Normaliser
from clinical_jepa.records.errors import TrainingFailed
from clinical_jepa.records.instant import BEGINNING, HOUR, MINUTE
from clinical_jepa.records.views import Slice
from clinical_jepa.training.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """n stays of A arrivals; ``*_start`` are the first part of each arrival (one more at the end).

    Patches are kept small: ``samples`` float16 in channel z, ``present`` uint8. ``z [N]`` is float32, NaN for no value.
    Anchors [M]: ``anchor_row``, ``anchor_time``, ``anchor_end`` (arrivals of the row up to it end there) and
    ``registers [M, F]`` float16 features as of then. ``by_time`` orders items by (row, time) within ``row_items``.
    """

    stream: Stream
    z: np.ndarray
    row_start: np.ndarray  # [n + 1], arrivals
    item_start: np.ndarray  # [A + 1]
    patch_start: np.ndarray
    picture_start: np.ndarray
    by_time: np.ndarray  # [N]
    sorted_time: np.ndarray  # [N], item times in that order
    row_items: np.ndarray  # [n + 1], into by_time
    anchor_row: np.ndarray
    anchor_time: np.ndarray
    anchor_end: np.ndarray
    registers: np.ndarray


def build(slices: Iterable[Slice], normaliser: Normaliser, config: TrainConfig) -> Corpus:
    """The corpus of these stays. ``TrainingFailed`` where no stay is long enough to predict from."""
    pieces = [_stay(piece, normaliser) for piece in slices if len(piece.items.time)]
    if not pieces:
        raise TrainingFailed("no stay with a record to train on; nothing was written. Ingest some data first")
    whole = _join(pieces)
    count, arrivals = len(pieces), len(whole.time)
    row_start = np.searchsorted(whole.row, np.arange(count + 1))
    item_row = whole.row[whole.item_arrival]
    by_time = np.lexsort((whole.item_time, item_row))
    rng = np.random.default_rng((config.seed, 1))
    row, time, end = _anchors(whole, row_start, config.anchors, rng)
    if not len(row):
        raise TrainingFailed("no stay is longer than an hour: there is nothing to predict. Nothing was written")
    starts = {
        name: np.searchsorted(getattr(whole, f"{name}_arrival"), np.arange(arrivals + 1))
        for name in ("item", "patch", "picture")
    }
    corpus = Corpus(
        stream=whole,
        z=np.where(np.isfinite(whole.value), normaliser.z(whole.code, whole.value), np.nan).astype(np.float32),
        row_start=row_start,
        **{f"{name}_start": found for name, found in starts.items()},
        by_time=by_time,
        sorted_time=whole.item_time[by_time],
        row_items=np.searchsorted(item_row[by_time], np.arange(count + 1)),
        anchor_row=row,
        anchor_time=time,
        anchor_end=end,
        registers=np.empty(0),
    )
    return replace(corpus, registers=_registers(corpus, normaliser, config.model))


def _stay(piece: Slice, normaliser: Normaliser) -> Stream:
    """The arrivals of one stay, without the silence after its last one, its patches made small."""
    found = stream([piece], last_arrival=np.array([BEGINNING]))
    keep = found.time <= found.time[found.kind != GAP].max()
    center, scale = normaliser.channel_center[:, None], normaliser.channel_scale[:, None]
    samples = np.clip((found.samples - center) / scale, -8, 8) * found.present
    cut = {name: getattr(found, name)[keep] for name in ("row", "time", "kind", "silence")}
    return replace(found, **cut, samples=samples.astype(np.float16), present=found.present.astype(np.uint8))


def _join(pieces: Sequence[Stream]) -> Stream:
    offset, columns = 0, []
    for row, piece in enumerate(pieces):
        moved = {name: getattr(piece, name) + offset for name in ("item_arrival", "patch_arrival", "picture_arrival")}
        columns.append(replace(piece, row=np.full(len(piece.row), row), **moved))
        offset += len(piece.time)
    return Stream(**{f.name: np.concatenate([getattr(c, f.name) for c in columns]) for f in fields(Stream)})


def _anchors(
    whole: Stream, row_start: np.ndarray, number: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, whole minute and end of random anchors, at least 30 minutes after the first and before the last arrival."""
    rows, times, ends = [], [], []
    for row in range(len(row_start) - 1):
        mine = whole.time[row_start[row] : row_start[row + 1]]
        first, last = int(mine[0]) + HOUR // 2, int(mine[-1]) - HOUR // 2
        if first >= last:
            continue
        at = np.unique(rng.integers(first // MINUTE, last // MINUTE, number, endpoint=True)) * MINUTE
        rows.append(np.full(len(at), row))
        times.append(at)
        ends.append(row_start[row] + np.searchsorted(mine, at, side="right"))
    empty = np.empty(0, np.int64)
    row_, time, end = (np.concatenate([empty, *found]) for found in (rows, times, ends))
    return row_, time, end


def _registers(corpus: Corpus, normaliser: Normaliser, config: ModelConfig) -> np.ndarray:
    """Register features at all anchors: the k-th anchors of all stays together, each updated with what came since."""
    first = np.searchsorted(corpus.anchor_row, np.arange(len(corpus.row_start) - 1))
    rank = np.arange(len(corpus.anchor_row)) - first[corpus.anchor_row]
    width = len(registers.names(config.codes))
    found = np.empty((len(corpus.anchor_row), width), np.float16)
    kept = state.empty(config, np.ones(config.heads), len(corpus.row_start) - 1)["registers"].copy()
    done = corpus.row_start[:-1].copy()
    origin = corpus.stream.time[corpus.row_start[:-1]] - MINUTE
    for k in range(int(rank.max()) + 1):
        now = np.flatnonzero(rank == k)
        row = corpus.anchor_row[now]
        first_item, last_item = corpus.item_start[done[row]], corpus.item_start[corpus.anchor_end[now]]
        items, whose = ranges(first_item, last_item)
        registers.update(
            kept,
            row=row[whose],
            code=corpus.stream.code[items],
            time=corpus.stream.item_time[items],
            value=corpus.stream.value[items],
        )
        done[row] = corpus.anchor_end[now]
        found[now] = registers.features(
            kept[row],
            origin=origin[row],
            now=corpus.anchor_time[now],
            center=normaliser.center,
            scale=normaliser.scale,
        )
    return found


def ranges(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(index, which)``: all integers of the ranges ``[first, last)`` one after the other, and whose they are."""
    size = np.maximum(last - first, 0)
    which = np.repeat(np.arange(len(size)), size)
    return first[which] + np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size), which
