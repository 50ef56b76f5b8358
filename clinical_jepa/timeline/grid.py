"""Values in time bins: bin t is ``(edges[t], edges[t + 1]]``. Never filled, never zeroed."""

from __future__ import annotations

import numpy as np

_LONG_AGO = np.iinfo(np.int64).min


def line(origin: int, step: int, instant: int) -> int:
    """The last edge at or before an instant of the one grid that an origin and a step make: ``origin + n * step``."""
    return instant - (instant - origin) % step


def fill(
    time: np.ndarray, column: np.ndarray, value: np.ndarray, edges: np.ndarray, columns: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(values, observed, age)``, each ``[T, V]``, of rows in the order in which they count: of two in a cell the later stays.

    ``time`` (int64 µs), ``column`` (0 … V - 1) and ``value`` (finite float32) are ``[N]``; ``edges`` (int64 µs, ``[T + 1]``) are
    evenly spaced. ``values`` are float32, NaN where there is none; ``age`` is int64 µs from the newest time at or before the
    bin's end to that end, -1 where there never was one. Rows after the last edge are left out.
    """
    bins = len(edges) - 1
    values = np.full((bins, columns), np.nan, np.float32)
    if bins == 0:
        return values, np.zeros(values.shape, bool), np.zeros(values.shape, np.int64)
    step = int(edges[1] - edges[0])
    place = (time - edges[0] - 1) // step  # a time on an edge belongs to the bin that ends there
    inside = (place >= 0) & (place < bins)
    cell = place[inside] * columns + column[inside]
    values.reshape(-1)[cell] = value[inside]
    newest = np.full(values.shape, _LONG_AGO, np.int64)
    np.maximum.at(newest[0], column[place < 0], time[place < 0])
    known = newest[0].copy()
    newest.reshape(-1)[cell] = time[inside]
    observed = ~np.isnan(values)
    np.maximum(newest[0], known, out=newest[0])
    np.maximum.accumulate(newest, axis=0, out=newest)
    age = edges[1:, None] - newest
    age[newest == _LONG_AGO] = -1
    return values, observed, age
