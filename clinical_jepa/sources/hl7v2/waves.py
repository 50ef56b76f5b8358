"""Waveforms as IHE's device profile sends them: an OBX of type NA, and its sampling rate in an OBX right after it.

Only what is certain becomes a signal: a listed channel, samples in a physical unit of it, a rate, and no scale to apply.
The rest is counted: a raw count without its scale is no voltage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinical_jepa.records.instant import SECOND
from clinical_jepa.sources.hl7v2.frame import Ignored
from clinical_jepa.sources.hl7v2.mapping import unit_of
from clinical_jepa.sources.hl7v2.message import Segment
from clinical_jepa.vocabulary.identity import content_id
from clinical_jepa.vocabulary.tables import cached, rows
from clinical_jepa.vocabulary.units import conversion

if TYPE_CHECKING:
    import numpy as np

    from clinical_jepa.records.batch import SignalPiece
    from clinical_jepa.sources.hl7v2.frame import Frame

SOURCE = "hl7v2:waveforms"
_PIECE_SECONDS = 60
_STILL_SECONDS = 3.0  # no living channel repeats one value exactly for so long


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
    """The samples of one OBX, float32 in the channel's unit, from ``time`` on."""

    who: str
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


def sampled(segment: Segment, after: Sequence[Segment]) -> tuple[Channel, float, np.ndarray] | Ignored:
    """Channel, rate and samples of an OBX of type NA; ``after`` are the segments that follow it."""
    import numpy as np

    channel = _channels().get(segment.text(3)) if segment.text(3, 3) == "MDC" else None
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
    import numpy as np

    taken: set[tuple[str, str, int]] = set()
    for wave in sorted(waves, key=lambda one: (one.channel.channel, one.channel.rank)):
        slot = (wave.who, wave.channel.channel, wave.time)
        name = wave.channel.channel if slot not in taken else f"{wave.channel.channel}//{wave.channel.name}"
        taken.add(slot)
        length = max(1, int(_PIECE_SECONDS * wave.rate_hz))
        for first in range(0, len(wave.samples), length):
            samples = wave.samples[first : first + length]
            if np.isfinite(samples).any():
                yield wave.who, _piece(wave, name, first, samples)


def _piece(wave: Wave, name: str, first: int, samples: np.ndarray) -> SignalPiece:
    import hashlib

    from clinical_jepa.records.batch import SignalPiece

    time = wave.time + round(first * SECOND / wave.rate_hz)
    end = time + min(round(len(samples) * SECOND / wave.rate_hz), _PIECE_SECONDS * SECOND)
    available, basis = wave.frame.known(end, kind="monitor", reported=wave.reported)
    share, reason = _quality(samples, wave.rate_hz, wave.channel.limits)
    subject = wave.frame.context.subject(wave.who)
    digest = hashlib.blake2b(samples.tobytes(), digest_size=16).hexdigest()
    return SignalPiece(
        subject_id=subject,
        channel=name,
        time=time,
        available_time=available,
        available_basis=basis,
        rate_hz=wave.rate_hz,
        unit=wave.channel.unit,
        quality=share,
        quality_reason=reason,
        samples=samples,
        source=SOURCE,
        event_id=content_id(subject, name, time, wave.rate_hz, digest),
    )


def _quality(samples: np.ndarray, rate_hz: float, limits: tuple[float, float]) -> tuple[float, str | None]:
    """``(share of usable samples, reason)``: missing, out of the channel's limits, or one value for seconds."""
    import numpy as np

    finite = np.isfinite(samples)
    inside = finite & (samples >= limits[0]) & (samples <= limits[1])
    if len(samples) >= _STILL_SECONDS * rate_hz and np.nanmin(samples) == np.nanmax(samples):
        return 0.0, "flat"
    share = float(inside.mean())
    if share >= 0.99:
        return share, None
    return share, "missing" if (~finite).sum() >= (finite & ~inside).sum() else "out-of-range"


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
        for row in rows("hl7v2_waves.csv", "code")
    }
