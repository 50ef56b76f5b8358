"""FHIR SampledData as waveform pieces of at most 60 s: value = sample x factor + origin, as the standard has it.

Nothing is guessed: no unit on ``origin`` is a refusal, and so are values that lie beyond the limits which the resource states
itself (there are senders who mean (sample - origin) x factor). E, L and U are no values: NaN.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from clinical_jepa.records.events import RETRACTED
from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.frame import SOURCE, Frame, Ignored, Outcome, Refusal
from clinical_jepa.sources.fhir.mapping import canonical_names
from clinical_jepa.sources.fhir.times import only_event
from clinical_jepa.sources.signals import pieces as signals
from clinical_jepa.sources.signals.pieces import Recording
from clinical_jepa.sources.signals.versions import Said, as_version
from clinical_jepa.vocabulary.identity import content_id
from clinical_jepa.vocabulary.tables import cached, rows
from clinical_jepa.vocabulary.units import conversion

_NO_VALUE = ("E", "L", "U")
_TOKEN = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?|[ELU]", re.ASCII)
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True, kw_only=True)
class Channel:
    """What a coding of a waveform stands for. ``unit`` None: any unit is taken, as the scale is arbitrary."""

    name: str
    unit: str | None
    low: float
    high: float


def pieces(place: tuple[str, Json], body: Json, frame: Frame, status: str) -> Iterator[Outcome]:
    """The waveform of an Observation or of one component (``place``: key and holder); no row where its channel is not listed.

    A withdrawn one gives none: that its record is withdrawn ends what earlier versions said.
    """
    key, holder = place
    found = channel_of(holder["code"])
    if found is None:
        yield Ignored(kind="Observation.valueSampledData of an unlisted channel")
        return
    if status in RETRACTED:
        yield _withdrawn(found, body, frame)
        return
    start = (
        body.get("effectiveDateTime")
        or body.get("effectiveInstant")
        or (body.get("effectivePeriod") or {}).get("start")
        or only_event(body.get("effectiveTiming") or {})
    )
    if start is None or "T" not in start:
        yield Refusal(reason="no-time", message=f"{found.name}: a waveform needs the instant of its first sample")
        return
    data = holder["valueSampledData"]
    read = _samples(data, found)
    if isinstance(read, Refusal | Ignored):
        yield read
        return
    samples, unit = read
    step = _step(data)
    if step is None:
        yield Refusal(reason="unknown-unit", message=f"{found.name}: an interval that is no time above 0")
        return
    recording = Recording(
        subject_id=frame.subject_id,
        channel=found.name,
        unit=unit,
        limits=(found.low, found.high),
        time=frame.instant(start),
        rate_hz=1 / step,
        samples=samples,
        source=f"{SOURCE}:waveforms",
    )
    said = Said(fact_id=content_id(SOURCE, key), record_id=content_id(SOURCE, frame.key), status=status)
    yield from as_version(
        signals.pieces(recording, partial(frame.known, status=status, reported=body.get("issued"), kind="monitor")),
        said,
    )


def _withdrawn(found: Channel, body: Json, frame: Frame) -> Refusal | Ignored:
    if frame.withdrawal(body.get("issued")) is None:
        message = f"{found.name}: a withdrawal, and neither issued nor meta.lastUpdated says since when"
        return Refusal(reason="no-time", message=message)
    return Ignored(kind="Observation.valueSampledData withdrawn")


def _samples(data: Json, found: Channel) -> tuple[np.ndarray, str] | Refusal | Ignored:
    """Float32 physical values in the channel's unit, and that unit."""
    if data.get("dimensions", 1) != 1 or "offsets" in data or "codeMap" in data:
        return Ignored(kind="Observation.valueSampledData of several dimensions, uneven or coded")
    tokens = str(data.get("data", "")).split()
    if not tokens or not all(_TOKEN.fullmatch(token) for token in tokens):
        return Refusal(reason="invalid", message=f"{found.name}: SampledData.data is no list of decimals, E, L and U")
    unit = data["origin"].get("code")
    if unit is None:
        return Refusal(reason="no-unit", message=f"{found.name}: SampledData.origin without a UCUM unit code")
    factors = (1.0, 0.0) if found.unit is None else conversion(unit, found.unit)
    if factors is None:
        return Refusal(reason="unknown-unit", message=f"{found.name}: no certain conversion to {found.unit}")
    raw = np.array([np.nan if token in _NO_VALUE else float(token) for token in tokens])
    with np.errstate(over="ignore", invalid="ignore"):
        values = raw * data.get("factor", 1) + data["origin"]["value"]
        if _beyond(values, data):
            return Refusal(
                reason="implausible",
                message=f"{found.name}: sample x factor + origin lies beyond the limits the SampledData states itself; "
                "where (sample - origin) x factor is meant, the sender must mend origin",
            )
        samples = (values * factors[0] + factors[1]).astype(np.float32)
    if not np.isfinite(samples).any():
        return Ignored(kind="Observation.valueSampledData without a value")
    return samples, found.unit or unit


def _beyond(values: np.ndarray, data: Json) -> bool:
    low, high = data.get("lowerLimit", -np.inf), data.get("upperLimit", np.inf)
    finite = values[~np.isnan(values)]
    return bool(((finite < low) | (finite > high) | np.isinf(finite)).any())


def _step(data: Json) -> float | None:
    """Seconds between samples: R4 has milliseconds, R5 names the unit."""
    unit = _SECONDS.get(data.get("intervalUnit", "")) if "interval" in data else _SECONDS["ms"]
    count = data.get("interval", data.get("period"))
    if unit is None or isinstance(count, bool) or not isinstance(count, int | float) or not 0 < count * unit <= 60:
        return None
    return count * unit


def channel_of(concept: Json) -> Channel | None:
    """The channel that a waveform of this code is kept as; None where none is listed."""
    return of_names(canonical_names(concept))


def of_names(names: Iterable[tuple[str, str]]) -> Channel | None:
    """The same by the (short system name, code) of each coding."""
    return next((_table()[name] for name in names if name in _table()), None)


@cached
def _table() -> dict[tuple[str, str], Channel]:
    return {
        (row["system"], row["code"]): Channel(
            name=row["channel"],
            unit=row["unit"] or None,
            low=float(row["low"] or "-inf"),
            high=float(row["high"] or "inf"),
        )
        for row in rows("fhir_channels.csv")
    }
