"""What is read back: arrivals for the model (``Slice``) and aligned windows for page, baselines and export (``Window``).

All arrays are read-only. ``code`` columns hold ids of ``vocabulary.codes`` (0 … n - 1, then the hash buckets).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """What the store answers: rows with ``since < available_time <= until``, newest revisions as of ``until``.

    Tables follow ``records.events`` and are sorted by (available_time, time, event_id). Retracted facts are absent.
    ``origins`` gives, for everybody known by ``until`` (of one subject's history, for it), the whole minute (µs) at or before
    the first arrival ever.
    ``rewind`` gives, for each subject whose past changed (a correction, or rows committed late), the instant before
    which its memory must restart: a snapshot with ``cursor < rewind`` is still right.
    """

    since: int
    until: int
    events: pa.Table
    signals: pa.Table
    images: pa.Table
    origins: Mapping[int, int]
    rewind: Mapping[int, int]
    late_rows: int
    watermark: int  # number of store commits the answer rests on


@dataclass(frozen=True, kw_only=True)
class Items:
    """Records and treatments in arrival order (available_time, time, event_id); every array is ``[N]``."""

    time: np.ndarray  # int64 µs; statics carry their available time
    available: np.ndarray  # int64 µs
    code: np.ndarray  # int32 code id
    value: np.ndarray  # float32 in the canonical unit, NaN where the row has no number
    text: np.ndarray  # int32: 0 none, else 1 + a stable hash of the text modulo 62


@dataclass(frozen=True, kw_only=True)
class Patches:
    """10 s of the channels present, resampled to one rate: what the waveform encoder eats."""

    time: np.ndarray  # int64 µs of the first sample, [P]
    available: np.ndarray  # int64 µs, [P]
    samples: np.ndarray  # float32 [P, C, L], C = len(PATCH_CHANNELS), L = 10 * PATCH_RATE_HZ; 0 where absent
    present: np.ndarray  # float32 [P, C, L], 1 where a real, usable sample stands


PATCH_CHANNELS = ("ECG", "PPG", "ABP", "PAP", "RESP")
PATCH_RATE_HZ = 62.5
PATCH_SAMPLES = 625


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Prepared images, float32 ``[I, 64, 64]`` in [0, 1]."""

    time: np.ndarray  # int64 µs, [I]
    available: np.ndarray  # int64 µs, [I]
    pixels: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Everything of one subject with ``since < available_time <= now``, newest revisions as of ``now``.

    ``origin`` is the whole minute at or before the subject's first arrival: the start of its own 15-minute gap grid.
    """

    subject_id: int
    since: int
    now: int
    origin: int
    items: Items
    patches: Patches
    pictures: Pictures


@dataclass(frozen=True, kw_only=True)
class Strip:
    """One channel at its own rate, for a page: samples float32 with NaN gaps."""

    channel: str
    time: int
    rate_hz: float
    unit: str
    samples: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Window:
    """Time-aligned tensors of one subject as of ``as_of``: bin t is ``(edges[t], edges[t + 1]]``.

    ``values [T, V]`` hold the last value whose time lies in the bin, NaN where there is none (never filled);
    ``observed [T, V]`` says where; ``age [T, V]`` is µs from the newest value at or before the bin's end to that end
    (-1 where there never was one). ``codes`` are the V code strings.
    """

    subject_id: int
    as_of: int
    edges: np.ndarray  # int64 µs, [T + 1]
    codes: tuple[str, ...]
    values: np.ndarray  # float32
    observed: np.ndarray  # bool
    age: np.ndarray  # int64 µs
    strips: tuple[Strip, ...]
    image: np.ndarray | None  # newest decoded picture, float32 [rows, columns] in [0, 1]
    image_time: int | None
    image_age: int | None  # as_of - image_time
