"""A recorded channel → signal pieces of at most 60 s, each available at its own end, with how much of it is usable."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from clinical_jepa.records.batch import SignalPiece
from clinical_jepa.records.instant import MINUTE, SECOND
from clinical_jepa.sources.signals.quality import quality
from clinical_jepa.vocabulary.identity import content_id

Known = Callable[[int], tuple[int, str]]
_ROUNDING = 1e-6  # samples: a rate is seldom a binary fraction


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One channel without a gap in time: float32 ``samples`` in ``unit`` from ``time`` (µs) on, NaN where there is no value.

    ``limits`` are the channel's physical ones, in ``unit``.
    """

    subject_id: int
    channel: str
    unit: str
    limits: tuple[float, float]
    time: int
    rate_hz: float
    samples: np.ndarray
    source: str


def pieces(recording: Recording, known: Known) -> Iterator[SignalPiece]:
    """The pieces in order; a stretch without a value is none.

    ``known`` says of a piece's end (µs) when it could be known, and by which rule: ``(available_time, basis)``.
    """
    length = max(1, int(60 * recording.rate_hz + _ROUNDING))
    for first in range(0, recording.samples.size, length):
        samples = recording.samples[first : first + length]
        if np.isfinite(samples).any():
            yield _piece(recording, first, samples, known)


def _piece(recording: Recording, first: int, samples: np.ndarray, known: Known) -> SignalPiece:
    subject, channel, rate = recording.subject_id, recording.channel, recording.rate_hz
    time = recording.time + round(first * SECOND / rate)
    available, basis = known(time + min(round(samples.size * SECOND / rate), MINUTE))
    share, reason = quality(samples, rate, channel, recording.limits)
    digest = hashlib.blake2b(samples.tobytes(), digest_size=16).hexdigest()
    return SignalPiece(
        subject_id=subject,
        channel=channel,
        time=time,
        available_time=available,
        available_basis=basis,
        rate_hz=rate,
        unit=recording.unit,
        quality=share,
        quality_reason=reason,
        samples=samples,
        source=recording.source,
        event_id=content_id(subject, channel, time, rate, digest),
    )


def channel_name(target: str, name: str, taken: Counter[str]) -> str:
    """What the next signal of ``target`` is kept as: ``ECG`` the first, ``ECG//V`` or ``ECG//V#2`` a further one.

    Signals come best first; ``taken`` is noted in. A signal without a ``name`` is told from others by its number alone.
    """
    found = f"{target}//{name}" if taken[target] and name else target
    taken[target] += 1
    if found == target and taken[found] == 1:
        return found
    taken[found] += found != target
    return f"{found}#{taken[found]}" if taken[found] > 1 else found
