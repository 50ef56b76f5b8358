"""Which row ids the store already holds: what makes ingesting twice the same as ingesting once."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

_MERGE_AT = 16


class Seen:
    """A growing set of ids as two 64-bit hashes each (16 bytes an id, searched in µs).

    Two ids are taken for one only if both hashes agree: for a billion rows that is a chance of 1e-20.
    """

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []

    def fresh(self, ids: pa.ChunkedArray) -> np.ndarray:
        """Boolean ``[N]``: ids not held yet, each at its first place only."""
        names = _series(ids)
        first, second = _hashes(names)
        new = names.is_first_distinct().to_numpy()
        for known_first, known_second in self._parts:
            place = np.searchsorted(known_first, first)
            inside = np.minimum(place, known_first.size - 1)
            new = new & ~((known_first[inside] == first) & (known_second[inside] == second))
        return new

    def add(self, ids: pa.ChunkedArray) -> None:
        """Hold these too."""
        if len(ids) == 0:
            return
        self._parts.append(_sorted(*_hashes(_series(ids))))
        if len(self._parts) >= _MERGE_AT:
            firsts, seconds = zip(*self._parts, strict=True)
            self._parts = [_sorted(np.concatenate(firsts), np.concatenate(seconds))]


def _series(ids: pa.ChunkedArray) -> pl.Series:
    return pl.Series(pl.from_arrow(ids), dtype=pl.String)


def _hashes(names: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    return names.hash(seed=1).to_numpy(), names.hash(seed=2).to_numpy()


def _sorted(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(first, kind="stable")
    return first[order], second[order]
