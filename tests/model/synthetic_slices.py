"""Random stays as slices, and slices cut in pieces: what the model's tests eat."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.records.views import PATCH_CHANNELS, PATCH_SAMPLES, Items, Patches, Pictures, Slice
from clinical_jepa.vocabulary.codes import by_name

START = 1_767_600_000_000_000 // MINUTE * MINUTE
VITALS = tuple(by_name()[name].id for name in ("heart_rate", "map", "resp_rate", "spo2"))
OTHERS = tuple(by_name()[name].id for name in ("lactate", "norepinephrine", "fio2", "alarm", "monitor_heart_rate"))


def items(
    rng: np.random.Generator, *, count: int, hours: float, start: int = START, codes: tuple[int, ...] = VITALS + OTHERS
) -> Items:
    """Random items in arrival order, bursts and silences included, some without a value, some late."""
    available = start + np.sort((rng.random(count) ** 2 * hours * HOUR).astype(np.int64))
    available[1::3] = available[0::3][: len(available[1::3])]  # panels
    available = np.sort(available)
    time = available - (rng.random(count) * rng.integers(0, 2, count) * 3 * HOUR).astype(np.int64)
    value = rng.normal(80, 15, count).astype(np.float32)
    value[rng.random(count) < 0.1] = np.nan
    return Items(
        time=time,
        available=available,
        code=rng.choice(np.array(codes, np.int32), count),
        value=value,
        text=rng.integers(0, 3, count).astype(np.int32),
    )


def patches(rng: np.random.Generator, count: int, hours: float, start: int = START) -> Patches:
    shape = (count, len(PATCH_CHANNELS), PATCH_SAMPLES)
    present = (rng.random((*shape[:2], 1)) < 0.6).astype(np.float32) * np.ones(shape, np.float32)
    available = start + np.sort((rng.random(count) * hours * HOUR).astype(np.int64))
    return Patches(
        time=available - 10_000_000,
        available=available,
        samples=rng.normal(0, 1, shape).astype(np.float32) * present,
        present=present,
    )


def pictures(rng: np.random.Generator, count: int, hours: float, start: int = START) -> Pictures:
    available = start + np.sort((rng.random(count) * hours * HOUR).astype(np.int64))
    pixels = rng.random((count, 64, 64)).astype(np.float32)
    return Pictures(time=available - HOUR, available=available, pixels=pixels)


def stay(
    seed: int, *, subject_id: int = 1, count: int = 60, hours: float = 12.0, arrays: int = 3, start: int = START
) -> Slice:
    """A whole stay with ``since`` one minute before its first arrival and ``now`` at its end."""
    rng = np.random.default_rng(seed)
    parts = {
        "items": items(rng, count=count, hours=hours, start=start),
        "patches": patches(rng, arrays, hours, start),
        "pictures": pictures(rng, arrays // 2, hours, start),
    }
    first = min(part.available[0] for part in parts.values() if len(part.available))
    origin = int(first) // MINUTE * MINUTE
    now = start + int(hours * HOUR)
    return Slice(subject_id=subject_id, since=origin - MINUTE, now=now, origin=origin, **parts)


def part(whole: Slice, since: int, now: int) -> Slice:
    """What of a slice became available in ``(since, now]``."""

    def cut(kind: type, rows: object) -> object:
        mask = (rows.available > since) & (rows.available <= now)
        return kind(**{name: value[mask] for name, value in vars(rows).items()})

    return Slice(
        subject_id=whole.subject_id,
        since=since,
        now=now,
        origin=whole.origin,
        items=cut(Items, whole.items),
        patches=cut(Patches, whole.patches),
        pictures=cut(Pictures, whole.pictures),
    )


def cut(whole: Slice, times: list[int]) -> list[Slice]:
    """The slice in consecutive pieces, cut at the given instants (whole minutes)."""
    inner = sorted({time for time in times if whole.since < time < whole.now})
    return [part(whole, a, b) for a, b in pairwise([whole.since, *inner, whole.now])]


def learnable_stay(seed: int, *, subject_id: int, hours: float = 24.0) -> Slice:
    """A stay in which vitals follow a slow hidden course: the past tells of the future, and treatments follow it."""
    rng = np.random.default_rng(seed)
    minutes = np.sort(rng.choice(int(hours * 60), int(hours * 2), replace=False))
    course = rng.normal() + np.cumsum(rng.normal(0, 0.15, len(minutes)))
    noise = rng.normal(0, 0.2, (len(minutes), len(VITALS)))
    value = np.array([80, 80, 16, 96]) + (course[:, None] * np.array([1, -1, 0.5, -1]) + noise) * np.array(
        [15, 12, 5, 2]
    )
    available = np.repeat(START + (minutes + 1) * MINUTE, len(VITALS))
    rows = Items(
        time=available,
        available=available,
        code=np.tile(np.array(VITALS, np.int32), len(minutes)),
        value=value.reshape(-1).astype(np.float32),
        text=np.zeros(len(available), np.int32),
    )
    none = np.random.default_rng(0)
    return Slice(
        subject_id=subject_id,
        since=START - MINUTE,
        now=START + int(hours * HOUR),
        origin=int(available[0]),
        items=rows,
        patches=patches(none, 0, 1),
        pictures=pictures(none, 0, 1),
    )
