"""Waveforms as IHE's device profile sends them: an OBX of type NA, and its sampling rate in an OBX right after it.

Only what is certain becomes a signal: a listed channel, samples in a physical unit of it, a rate, and no scale to apply.
The rest is counted: a raw count without its scale is no voltage.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from clinical_jepa.records.batch import Retraction, SignalPiece
from clinical_jepa.sources.hl7v2.frame import Ignored
from clinical_jepa.sources.hl7v2.mapping import unit_of
from clinical_jepa.sources.hl7v2.message import Segment
from clinical_jepa.sources.signals import pieces as signals
from clinical_jepa.sources.signals.pieces import Recording, channel_name
from clinical_jepa.sources.signals.versions import Said, as_version
from clinical_jepa.vocabulary.identity import content_id
from clinical_jepa.vocabulary.tables import cached, rows
from clinical_jepa.vocabulary.units import conversion

if TYPE_CHECKING:
    from clinical_jepa.sources.hl7v2.frame import Frame

SOURCE = "hl7v2:waveforms"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A row of ``hl7v2_waves.csv``."""

    name: str
    channel: str
    unit: str
    rank: int
    limits: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Wave:
    """The samples of one OBX, float32 in the channel's unit, from ``time`` on; ``key`` names its result across messages."""

    who: str
    key: str
    status: str
    frame: Frame
    channel: Channel
    time: int
    reported: int | None
    rate_hz: float
    samples: np.ndarray


def attributes(segments: Sequence[Segment]) -> dict[str, float]:
    """The numbers of the MDC attributes at the head of ``segments``, by name."""
    found: dict[str, float] = {}
    for segment in segments:
        name = segment.text(3, 2)
        if segment.name != "OBX" or not name.startswith("MDC_ATTR_"):
            break
        try:
            found[name] = float(segment.text(5))
        except ValueError:
            found[name] = float("nan")
    return found


def listed(segment: Segment) -> Channel | None:
    """The channel that samples under this OBX's code are kept as; None where none is listed."""
    return _channels().get(segment.text(3)) if segment.text(3, 3) == "MDC" else None


def sampled(segment: Segment, after: Sequence[Segment]) -> tuple[Channel, float, np.ndarray] | Ignored:
    """Channel, rate and samples of an OBX of type NA; ``after`` are the segments that follow it."""
    channel = listed(segment)
    if channel is None:
        return Ignored(kind="OBX waveform of no listed channel")
    unit = unit_of([(segment.text(6, part), segment.text(6, part + 2)) for part in (1, 4)], "")
    factors = None if unit is None else conversion(unit, channel.unit)
    told = attributes(after)
    rate = told.get("MDC_ATTR_SAMP_RATE", 0.0)
    if factors is None or not 0 < rate <= 10_000 or "MDC_ATTR_NU_MSMT_RES" in told:
        return Ignored(kind="OBX waveform without a certain rate, unit and scale")
    try:
        raw = np.array([float(one) if one.strip() else np.nan for one in segment.words(5).split(segment.separators[1])])
    except ValueError:
        return Ignored(kind="OBX waveform with other than numbers")
    samples = (raw * factors[0] + factors[1]).astype(np.float32)
    return (channel, rate, samples) if np.isfinite(samples).any() else Ignored(kind="OBX without a value")


def pieces(waves: Sequence[Wave]) -> Iterator[tuple[str, SignalPiece]]:
    """Who, and pieces of at most 60 s. A message's best lead of a channel bears its name, a further one ``ECG//<name>``."""
    taken: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for wave in sorted(waves, key=lambda one: (one.channel.channel, one.channel.rank)):
        recording = Recording(
            subject_id=wave.frame.context.subject(wave.who),
            channel=channel_name(wave.channel.channel, wave.channel.name, taken[wave.who, wave.time]),
            unit=wave.channel.unit,
            limits=wave.channel.limits,
            time=wave.time,
            rate_hz=wave.rate_hz,
            samples=wave.samples,
            source=SOURCE,
        )
        cut = signals.pieces(recording, partial(wave.frame.known, kind="monitor", reported=wave.reported))
        for piece in as_version(cut, _said(wave.key, wave.status)):
            yield wave.who, piece


def withdrawn(key: str, frame: Frame, times: tuple[int, int | None]) -> Retraction:
    """Of a waveform that is cancelled, deleted or was wrong: ``times`` are its own and that of its order's report."""
    available, basis = frame.known(times[0], kind="monitor", reported=times[1])
    return Retraction(
        record_id=_said(key).record_id, time=available, available_time=available, available_basis=basis, source=SOURCE
    )


def _said(key: str, status: str = "final") -> Said:
    name = content_id(SOURCE, key)  # an OBX is what may be corrected, and what may be withdrawn
    return Said(fact_id=name, record_id=name, status=status)


@cached
def _channels() -> dict[str, Channel]:
    return {
        row["code"]: Channel(
            name=row["name"],
            channel=row["channel"],
            unit=row["unit"],
            rank=int(row["rank"]),
            limits=(float(row["low"] or "-inf"), float(row["high"] or "inf")),
        )
        for row in rows("hl7v2_waves.csv")
    }
