"""Which row ids the store already holds: what makes ingesting twice the same as ingesting once."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

_MERGE_AT = 16
_SETTLE_AT = 1_000_000  # ids
_BUCKETS = 256
Pair = tuple[np.ndarray, np.ndarray]


class Seen:
    """A growing set of ids as two 64-bit hashes each (16 bytes an id, searched in µs).

    Two ids are taken for one only if both hashes agree: for a billion rows that is a chance of 1e-20. New ids lie in a few
    parts; when there are many they settle into buckets by their first byte, one at a time, so that growing takes no more
    memory than a bucket.
    """

    def __init__(self) -> None:
        self._parts: list[Pair] = []
        self._settled: dict[int, Pair] = {}

    def fresh(self, ids: pa.ChunkedArray) -> np.ndarray:
        """Boolean ``[N]``: ids not held yet, each at its first place only."""
        names = _series(ids)
        first, second = _hashes(names)
        new = names.is_first_distinct().to_numpy()
        for part in self._parts:
            new = new & ~_held(part, first, second)
        if self._settled and len(names):
            order = np.argsort(first >> np.uint64(56), kind="stable")
            for bucket, places in _by_bucket(first[order], order):
                if bucket in self._settled:
                    new[places] &= ~_held(self._settled[bucket], first[places], second[places])
        return np.asarray(new)

    def add(self, ids: pa.ChunkedArray) -> None:
        """Hold these too."""
        if len(ids) == 0:
            return
        self._grow(_sorted(*_hashes(_series(ids))))

    def add_all(self, others: Seen) -> None:
        """Hold what another set holds; that one is not to be used any more."""
        for part in [*others._parts, *others._settled.values()]:
            self._grow(part)

    def _grow(self, part: Pair) -> None:
        self._parts.append(part)
        waiting = sum(first.size for first, _ in self._parts)
        if waiting >= _SETTLE_AT:
            self._settle()
        elif len(self._parts) >= _MERGE_AT:
            self._parts = [_joined(self._parts)]

    def _settle(self) -> None:
        first, second = _joined(self._parts)
        self._parts = []
        for bucket, places in _by_bucket(first, np.arange(first.size)):
            mine = first[places], second[places]
            held = self._settled.get(bucket)
            self._settled[bucket] = mine if held is None else _joined([held, mine])


def _by_bucket(ordered: np.ndarray, places: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """``places`` parted by the first byte of ``ordered``, which ascends in it."""
    edges = np.searchsorted(ordered >> np.uint64(56), np.arange(_BUCKETS + 1, dtype=np.uint64))
    spans = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return [(bucket, places[low:high]) for bucket, (low, high) in enumerate(spans) if high > low]


def _held(known: Pair, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    place = np.searchsorted(known[0], first)
    inside = np.minimum(place, known[0].size - 1)
    return np.asarray((known[0][inside] == first) & (known[1][inside] == second))


def _series(ids: pa.ChunkedArray) -> pl.Series:
    return pl.Series(pl.from_arrow(ids), dtype=pl.String)


def _hashes(names: pl.Series) -> Pair:
    return names.hash(seed=1).to_numpy(), names.hash(seed=2).to_numpy()


def _joined(parts: list[Pair]) -> Pair:
    firsts, seconds = zip(*parts, strict=True)
    return _sorted(np.concatenate(firsts), np.concatenate(seconds))


def _sorted(first: np.ndarray, second: np.ndarray) -> Pair:
    order = np.argsort(first, kind="stable")
    return first[order], second[order]
