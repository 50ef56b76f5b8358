"""Slices to arrivals: the stream a model eats, the same however (since, now] was cut.

What came together (one kind, one available minute ``(m, m + 1 min]``) is one arrival. Where nothing came in
``(g - 15 min, g]`` a *gap* arrives at ``g``, a point of the stay's own grid ``origin + 15 min * k``; after a day of
silence only one grid point in 96 speaks, and after 32 days one in 3072: an absence of decades stays small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from clinical_jepa.records.instant import BEGINNING, DAY, HOUR, MINUTE
from clinical_jepa.records.views import PATCH_CHANNELS, PATCH_SAMPLES, Slice
from clinical_jepa.vocabulary.codes import code_count, codes

RECORD, TREATMENT, WAVEFORM, IMAGE, GAP, IMAGINED = range(6)
KINDS = 6
GRID = 15 * MINUTE
MONTH = 32 * DAY  # a whole number of days, so that its points are days' points too


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Arrivals of several rows (slices), sorted by (row, time, kind); parts point at their arrival, in its order.

    A arrivals: ``row``, ``time`` (whole minute, µs), ``kind``, ``silence`` (hours without news, gaps only).
    N items, P patches, I pictures: ``*_arrival`` ascends.
    """

    row: np.ndarray  # int64 [A]
    time: np.ndarray  # int64 [A]
    kind: np.ndarray  # int64 [A]
    silence: np.ndarray  # float32 [A]
    item_arrival: np.ndarray  # int64 [N]
    code: np.ndarray  # int64 [N]
    value: np.ndarray  # float64 [N], NaN where there is none
    text: np.ndarray  # int64 [N]
    item_time: np.ndarray  # int64 [N], when it was true
    lag: np.ndarray  # float32 [N], hours from then to when it was known
    patch_arrival: np.ndarray  # int64 [P]
    samples: np.ndarray  # float32 [P, C, L]
    present: np.ndarray  # float32 [P, C, L]
    patch_time: np.ndarray  # int64 [P]
    picture_arrival: np.ndarray  # int64 [I]
    pixels: np.ndarray  # float32 [I, 64, 64]
    picture_time: np.ndarray  # int64 [I]


@cache
def is_treatment() -> np.ndarray:
    """Which code ids are actions, bool ``[codes]``."""
    flags = np.zeros(code_count(), dtype=bool)
    flags[[code.id for code in codes() if code.kind == "treatment"]] = True
    return flags


def stream(slices: Sequence[Slice], *, last_arrival: np.ndarray) -> Stream:
    """The arrivals of all slices; row i is slice i. ``last_arrival [rows]`` is each row's newest arrival's minute so
    far (``BEGINNING`` where there was none): with it a silence that began before ``since`` is still a silence."""
    item_row, item_code = _rows(slices, "items"), _join([s.items.code for s in slices], np.int64)
    parts: dict[str, tuple[np.ndarray, np.ndarray | int]] = {
        "items": (item_row, np.where(is_treatment()[item_code], TREATMENT, RECORD)),
        "patches": (_rows(slices, "patches"), WAVEFORM),
        "pictures": (_rows(slices, "pictures"), IMAGE),
    }
    row, kind, minute = (np.concatenate(columns) for columns in zip(*_keys(slices, parts), strict=True))
    member, first = _group(row, minute, kind)
    gap_row, gap_time, silence = _gaps(row[first], minute[first], slices, last_arrival)
    all_row = np.concatenate([row[first], gap_row])
    all_time = np.concatenate([minute[first], gap_time])
    all_kind = np.concatenate([kind[first], np.full(len(gap_row), GAP, dtype=np.int64)])
    all_silence = np.concatenate([np.zeros(len(first)), silence]).astype(np.float32)
    order = np.lexsort((all_kind, all_time, all_row))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    sizes = [len(rows) for rows, _ in parts.values()]
    members = np.split(place[member], np.cumsum(sizes)[:-1])
    return Stream(
        row=all_row[order],
        time=all_time[order],
        kind=all_kind[order],
        silence=all_silence[order],
        **_items(slices, item_code, members[0]),
        **_arrays(slices, members[1], members[2]),
    )


def _rows(slices: Sequence[Slice], part: str) -> np.ndarray:
    return np.repeat(np.arange(len(slices)), [len(getattr(s, part).time) for s in slices])


def _join(arrays: Sequence[np.ndarray], dtype: type, shape: tuple[int, ...] = ()) -> np.ndarray:
    return np.concatenate([np.empty((0, *shape), dtype), *arrays]).astype(dtype, copy=False)


def _keys(
    slices: Sequence[Slice], parts: dict[str, tuple[np.ndarray, np.ndarray | int]]
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    found = []
    for part, (rows, kinds) in parts.items():
        available = _join([getattr(s, part).available for s in slices], np.int64)
        minute = -(-available // MINUTE) * MINUTE
        found.append((rows, np.broadcast_to(np.asarray(kinds, np.int64), rows.shape), minute))
    return found


def _group(row: np.ndarray, minute: np.ndarray, kind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(member, first)``: the group of each entry, and one entry of each group, groups in (row, minute, kind) order."""
    order = np.lexsort((kind, minute, row))
    keys = np.stack([row[order], minute[order], kind[order]])
    new = np.ones(len(order), dtype=bool)
    new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    member = np.empty(len(order), dtype=np.int64)
    member[order] = np.cumsum(new) - 1
    return member, order[new]


def _gaps(
    row: np.ndarray, minute: np.ndarray, slices: Sequence[Slice], last: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, grid time and hours of silence of each gap between consecutive arrivals, and from the newest up to now."""
    count = len(slices)
    origin = np.array([s.origin for s in slices], dtype=np.int64)
    since = np.maximum(np.array([s.since for s in slices], dtype=np.int64), origin)
    now = np.array([s.now for s in slices], dtype=np.int64)
    known = np.flatnonzero(last != BEGINNING)
    point_row = np.concatenate([known, row, np.arange(count)])
    point_time = np.concatenate([last[known], minute, now + 1])
    rank = np.concatenate([np.zeros(len(known)), np.ones(len(row)), np.full(count, 2)])
    order = np.lexsort((point_time, rank, point_row))
    point_row, point_time = point_row[order], point_time[order]
    same = np.flatnonzero(point_row[1:] == point_row[:-1])
    who, begin, end = point_row[same], point_time[same], point_time[same + 1]
    low = np.maximum(-(-(begin + GRID - origin[who]) // GRID), (since - origin)[who] // GRID + 1)
    high = -(-(end - origin[who]) // GRID) - 1
    number = np.maximum(high - low + 1, 0)
    pick = np.repeat(np.arange(len(who)), number)
    step = low[pick] + np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    time = origin[who[pick]] + step * GRID
    silent = time - begin[pick]
    spacing = np.where(silent <= DAY, 1, np.where(silent <= MONTH, DAY // GRID, MONTH // GRID))
    keep = step % spacing == 0
    return who[pick][keep], time[keep], silent[keep] / HOUR


def _items(slices: Sequence[Slice], code: np.ndarray, member: np.ndarray) -> dict[str, np.ndarray]:
    order = np.argsort(member, kind="stable")
    time = _join([s.items.time for s in slices], np.int64)
    available = _join([s.items.available for s in slices], np.int64)
    return {
        "item_arrival": member[order],
        "code": code[order],
        "value": _join([s.items.value for s in slices], np.float64)[order],
        "text": _join([s.items.text for s in slices], np.int64)[order],
        "item_time": time[order],
        "lag": ((available - time) / HOUR).astype(np.float32)[order],
    }


def _arrays(slices: Sequence[Slice], patches: np.ndarray, pictures: np.ndarray) -> dict[str, np.ndarray]:
    shape = (len(PATCH_CHANNELS), PATCH_SAMPLES)
    by_patch, by_picture = np.argsort(patches, kind="stable"), np.argsort(pictures, kind="stable")
    return {
        "patch_arrival": patches[by_patch],
        "samples": _join([s.patches.samples for s in slices], np.float32, shape)[by_patch],
        "present": _join([s.patches.present for s in slices], np.float32, shape)[by_patch],
        "patch_time": _join([s.patches.time for s in slices], np.int64)[by_patch],
        "picture_arrival": pictures[by_picture],
        "pixels": _join([s.pictures.pixels for s in slices], np.float32, (64, 64))[by_picture],
        "picture_time": _join([s.pictures.time for s in slices], np.int64)[by_picture],
    }
