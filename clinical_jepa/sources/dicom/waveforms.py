"""ECG objects → signal pieces of at most 60 s a lead, in mV at their own rate.

Each multiplex group starts at AcquisitionDateTime plus its own offset, each channel at its skew after that. A value is
stored value × sensitivity × correction + baseline, in the channel's unit; padding is NaN. A *derived* group (an average beat)
is no later time and no measurement of its own: it is counted, not stored.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from clinical_jepa.records.batch import Identity, SignalPiece
from clinical_jepa.records.instant import SECOND
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.dicom.notes import object_id
from clinical_jepa.sources.dicom.opening import Refused
from clinical_jepa.sources.dicom.times import acquired, created_time
from clinical_jepa.sources.signals.pieces import Recording, channel_name, pieces
from clinical_jepa.sources.signals.versions import Said, as_version
from clinical_jepa.vocabulary.identity import content_id
from clinical_jepa.vocabulary.tables import cached, rows
from clinical_jepa.vocabulary.units import conversion

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from clinical_jepa.sources.context import ReadContext

SOURCE = "dicom:waveforms"
UNIT = "mV"
_SCHEMES = ("SCPECG", "MDC")
_LIMITS_MV = (-15.0, 15.0)  # no skin electrode gives more
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
    """The pieces of every original group, which are one version of the object. ``Refused`` without a start or a group."""
    start = acquired(dataset, context.zone)
    if start is None:
        raise Refused("no-time", "no complete AcquisitionDateTime: nobody can say when it was recorded")
    groups = dataset.get("WaveformSequence") or []
    if not groups:
        raise Refused("invalid", "an ECG object without a waveform group")
    created = created_time(dataset, context.zone)
    out = Recorded()
    found: list[SignalPiece] = []
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
        full = [lead for lead in leads if np.isfinite(lead.samples).any()]
        out.ignored["dicom:lead without a value"] += len(leads) - len(full)
        found.extend(_pieces(full, identity, context, created))
    itself = object_id(str(dataset.get("SOPInstanceUID") or content_id(*(piece.event_id for piece in found))))
    out.pieces.extend(as_version(found, Said(fact_id=itself, record_id=itself)))
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
        return ("unmapped", f"a channel whose source{_code(channel)} is none of the twelve leads"), None
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


def _code(channel: Dataset) -> str:
    source = (channel.get("ChannelSourceSequence") or [{}])[0]
    code, scheme = (str(source.get(name) or "")[:16] for name in ("CodeValue", "CodingSchemeDesignator"))
    return f" ({scheme} {code})" if code else ""


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
    return {row["number"]: (row["lead"], int(row["rank"])) for row in rows("dicom_leads.csv")}


def _pieces(leads: list[_Lead], identity: Identity, context: ReadContext, created: int | None) -> Iterator[SignalPiece]:
    """The best-ranked lead with a value is the channel ``ECG``, every other one ``ECG//<lead>``."""
    taken: Counter[str] = Counter()
    for lead in sorted(leads, key=lambda one: one.rank):
        recording = Recording(
            subject_id=identity.subject_id,
            channel=channel_name("ECG", lead.name, taken),
            unit=UNIT,
            limits=_LIMITS_MV,
            time=lead.start,
            rate_hz=lead.rate,
            samples=lead.samples,
            source=SOURCE,
        )
        yield from pieces(recording, lambda end: availability(end, reported=created, delay=context.delays["image"]))
