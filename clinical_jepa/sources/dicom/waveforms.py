"""ECG objects → signal pieces of at most 60 s a lead, in mV at their own rate.

Each multiplex group starts at AcquisitionDateTime plus its own offset, each channel at its skew after that. A value is
stored value × sensitivity × correction + baseline, in the channel's unit; padding is NaN. A *derived* group (an average beat)
is no later time and no measurement of its own: it is counted, not stored.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from clinical_jepa.records.batch import Identity, SignalPiece
from clinical_jepa.records.instant import SECOND
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.dicom.opening import Refused
from clinical_jepa.sources.dicom.times import acquired, created_time
from clinical_jepa.vocabulary.identity import content_id
from clinical_jepa.vocabulary.tables import cached, rows
from clinical_jepa.vocabulary.units import conversion

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from clinical_jepa.sources.context import ReadContext

SOURCE = "dicom:waveforms"
UNIT = "mV"
_SCHEMES = ("SCPECG", "MDC")
_LIMIT_MV = 15.0  # no skin electrode gives more
_SUM = re.compile(r"MEDIAN|AVERAGE|TEMPLATE", re.IGNORECASE)


@dataclass(frozen=True)
class Recorded:
    """What an ECG object holds; ``problems`` are ``(record, reason, message)`` of channels and groups that were refused."""

    pieces: list[SignalPiece] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Lead:
    """One channel of a group: ``samples`` float32 in mV from ``start`` (µs) on."""

    name: str
    rank: int
    start: int
    rate: float
    samples: np.ndarray


def recorded(dataset: Dataset, identity: Identity, context: ReadContext) -> Recorded:
    """The pieces of every original group. ``Refused`` without a start or without a group."""
    start = acquired(dataset, context.zone)
    if start is None:
        raise Refused("no-time", "no complete AcquisitionDateTime: nobody can say when it was recorded")
    groups = dataset.get("WaveformSequence") or []
    if not groups:
        raise Refused("invalid", "an ECG object without a waveform group")
    created = created_time(dataset, context.zone)
    out = Recorded()
    for number, group in enumerate(groups):
        label = str(group.get("MultiplexGroupLabel") or "")
        if str(group.get("WaveformOriginality") or "ORIGINAL") == "DERIVED" or _SUM.search(label):
            out.ignored["dicom:derived waveform group"] += 1
            continue
        try:
            leads = _leads(group, number, start, out.problems)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            said = f"the waveform group cannot be read ({type(error).__name__})"
            out.problems.append((f"group {number}", "unreadable", said))
            continue
        out.pieces.extend(_pieces(leads, identity, context, created))
    return out


def _leads(group: Dataset, number: int, start: int, problems: list[tuple[str, str, str]]) -> list[_Lead]:
    rate = float(group.SamplingFrequency)
    values, missing = _stored(group)
    if rate <= 0 or values.shape[1] != len(group.ChannelDefinitionSequence):
        raise ValueError("no rate, or another number of channels than defined")
    offset = start + round(float(group.get("MultiplexGroupTimeOffset") or 0) * 1000)
    leads = []
    for place, channel in enumerate(group.ChannelDefinitionSequence):
        problem, lead = _lead(channel, values[:, place], offset, rate)
        if lead is None:
            problems.append((f"group {number}, channel {place}", *problem))
            continue
        lead.samples[missing[:, place]] = np.nan
        leads.append(lead)
    return leads


def _stored(group: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """``(stored values, where there is padding)``, both ``[samples, channels]``."""
    from pydicom.waveforms.numpy_handler import WAVEFORM_DTYPES

    channels, samples = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    kind = np.dtype(WAVEFORM_DTYPES[(int(group.WaveformBitsAllocated), str(group.WaveformSampleInterpretation))])
    content = bytes(group.WaveformData)
    if channels < 1 or samples < 1 or len(content) < channels * samples * kind.itemsize:
        raise ValueError("fewer samples than the group declares")
    stored = np.frombuffer(content, kind, channels * samples).reshape(samples, channels)
    padding = group.get("WaveformPaddingValue")
    if padding is None:
        return stored, np.zeros(stored.shape, bool)
    value = np.frombuffer(bytes(padding)[: kind.itemsize], kind)[0] if isinstance(padding, bytes) else int(padding)
    return stored, stored == value


def _lead(channel: Dataset, stored: np.ndarray, start: int, rate: float) -> tuple[tuple[str, str], _Lead | None]:
    named = _name(channel)
    if named is None:
        return ("unmapped", "a channel whose source is none of the twelve leads"), None
    unit, factor, baseline = "1", 1.0, 0.0
    if channel.get("ChannelSensitivity") is not None:
        unit = str(channel.ChannelSensitivityUnitsSequence[0].CodeValue)
        correction = channel.get("ChannelSensitivityCorrectionFactor")
        factor = float(channel.ChannelSensitivity) * (1.0 if correction is None else float(correction))
        baseline = float(channel.get("ChannelBaseline") or 0.0)
    converted = conversion(unit, UNIT)
    if converted is None:
        return ("unknown-unit", f"lead {named[0]}: its unit has no certain conversion to {UNIT}"), None
    samples = ((stored * factor + baseline) * converted[0] + converted[1]).astype(np.float32)
    skew = float(channel.get("ChannelTimeSkew") or 0.0) + float(channel.get("ChannelSampleSkew") or 0.0) / rate
    return ("", ""), _Lead(name=named[0], rank=named[1], start=start + round(skew * SECOND), rate=rate, samples=samples)


def _name(channel: Dataset) -> tuple[str, int] | None:
    """``(lead, rank)`` by its code (SCP-ECG and MDC number leads alike), or by what the code means."""
    source = (channel.get("ChannelSourceSequence") or [None])[0]
    if source is None:
        return None
    number = re.split(r"[-:]", str(source.get("CodeValue") or ""))[-1]
    if str(source.get("CodingSchemeDesignator") or "") in _SCHEMES and number in _table():
        return _table()[number]
    said = re.search(r"\b(III|II|I|AV[RLF]|V[1-6])\b", str(source.get("CodeMeaning") or "").upper())
    return None if said is None else next(pair for pair in _table().values() if pair[0] == said[1])


@cached
def _table() -> dict[str, tuple[str, int]]:
    return {row["number"]: (row["lead"], int(row["rank"])) for row in rows("dicom_leads.csv", "number")}


def _pieces(leads: list[_Lead], identity: Identity, context: ReadContext, created: int | None) -> Iterator[SignalPiece]:
    """The best-ranked lead is the channel ``ECG``, every other one ``ECG//<lead>``."""
    for place, lead in enumerate(sorted(leads, key=lambda one: one.rank)):
        channel = "ECG" if place == 0 else f"ECG//{lead.name}"
        length = max(1, int(60 * lead.rate))
        for first in range(0, lead.samples.size, length):
            samples = lead.samples[first : first + length]
            if not np.isfinite(samples).any():
                continue
            time = lead.start + round(first * SECOND / lead.rate)
            end = time + min(round(samples.size * SECOND / lead.rate), 60 * SECOND)
            available, basis = availability(end, reported=created, delay=context.delays["image"])
            share, reason = _quality(samples)
            digest = hashlib.blake2b(samples.tobytes(), digest_size=16).hexdigest()
            yield SignalPiece(
                subject_id=identity.subject_id,
                channel=channel,
                time=time,
                available_time=available,
                available_basis=basis,
                rate_hz=lead.rate,
                unit=UNIT,
                quality=share,
                quality_reason=reason,
                samples=samples,
                source=SOURCE,
                event_id=content_id(identity.subject_id, channel, time, lead.rate, digest),
            )


def _quality(samples: np.ndarray) -> tuple[float, str | None]:
    """Share of samples that an electrode can give; a lead that never moves is off."""
    usable = np.isfinite(samples) & (np.abs(samples) <= _LIMIT_MV)
    if usable.any() and np.ptp(samples[usable]) == 0:
        return 0.0, "lead-off"
    share = float(usable.mean())
    if share >= 0.99:
        return share, None
    return share, "missing" if not np.isfinite(samples[~usable]).any() else "out-of-range"
