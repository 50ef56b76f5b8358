"""What a source hands to ingest: rows, flat arrays, identities and rejections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa

Mode = Literal["live", "history"]


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """One thing that was refused: where it came from, why, and its original bytes (or none: see ``file``)."""

    source: str
    file: str
    record: str
    reason: str  # one of records.events.REASONS
    message: str
    original: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A subject under the name its source knows it by."""

    subject_id: int
    namespace: str
    identifier: str


@dataclass(frozen=True, kw_only=True)
class SignalPiece:
    """At most 60 s of one channel; ``samples`` are float32 physical values, NaN where nothing was recorded.

    Pieces with one ``version_id`` are one version of the waveform ``fact_id``; without them a piece is a fact of its own.
    """

    subject_id: int
    channel: str
    time: int
    available_time: int
    available_basis: str
    rate_hz: float
    unit: str
    quality: float
    quality_reason: str | None
    samples: np.ndarray
    source: str
    event_id: str
    fact_id: str | None = None
    version_id: str | None = None
    status: str | None = "final"
    record_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class ImageItem:
    """One decoded picture: float32 ``[rows, columns]`` in [0, 1], dense tissue bright, rows first."""

    subject_id: int
    time: int
    available_time: int
    available_basis: str
    modality: str
    view: str | None
    spacing_mm: tuple[float, float] | None  # (between rows, between columns)
    pixels: np.ndarray
    source: str
    event_id: str
    fact_id: str
    status: str = "final"
    record_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Retraction:
    """From ``available_time`` on, nothing holds that the source's record said by then (deleted, or emptied as an error).

    ``record_id`` is that of the record's rows, of whatever kind they are: ``content_id(source, record)``.
    """

    record_id: str
    time: int  # when the source withdrew it
    available_time: int
    available_basis: str
    source: str


@dataclass(frozen=True, kw_only=True)
class SubjectLink:
    """From ``available_time`` on, everything of ``absorbed`` belongs to ``survivor``; ``active`` false undoes that.

    Where a source says only that ``absorbed`` stands alone again, ``survivor`` is ``absorbed`` itself, and any link is undone.
    """

    absorbed: int
    survivor: int
    active: bool
    time: int
    available_time: int
    available_basis: str
    source: str


@dataclass(frozen=True, kw_only=True)
class SourceBatch:
    """One unit of reading, committed whole. ``events`` follows ``records.events.EVENTS``.

    ``ignored`` counts, by kind, what was read and is no fact of this system (a claim, a derived picture, an unlisted item).
    """

    events: pa.Table
    identities: tuple[Identity, ...] = ()
    signals: tuple[SignalPiece, ...] = ()
    images: tuple[ImageItem, ...] = ()
    rejections: tuple[Rejection, ...] = field(default=())
    ignored: Mapping[str, int] = field(default_factory=dict)
    retractions: tuple[Retraction, ...] = ()
    links: tuple[SubjectLink, ...] = ()
