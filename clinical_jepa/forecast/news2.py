"""NEWS2, the National Early Warning Score 2 (Royal College of Physicians, 2017), for adults who are not pregnant.

A missing parameter is named, never scored as normal: ``score`` is then the sum of what is known, a lower bound.
Values are rounded half-up to the resolution of the chart (integers; temperature 0.1 °C) before they are banded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

PARAMETERS = ("resp_rate", "spo2", "oxygen", "sbp", "heart_rate", "consciousness", "temperature")

# upper end (inclusive) of each band, and its points; above the last end the last points hold
_Bands = tuple[tuple[str, int], ...]
_TOP = "1e9"
_RESP_RATE: _Bands = (("8", 3), ("11", 1), ("20", 0), ("24", 2), (_TOP, 3))
_SPO2_1: _Bands = (("91", 3), ("93", 2), ("95", 1), (_TOP, 0))
_SPO2_2_AIR: _Bands = (("83", 3), ("85", 2), ("87", 1), (_TOP, 0))
_SPO2_2_OXYGEN: _Bands = (("83", 3), ("85", 2), ("87", 1), ("92", 0), ("94", 1), ("96", 2), (_TOP, 3))
_SBP: _Bands = (("90", 3), ("100", 2), ("110", 1), ("219", 0), (_TOP, 3))
_HEART_RATE: _Bands = (("40", 3), ("50", 1), ("90", 0), ("110", 1), ("130", 2), (_TOP, 3))
_TEMPERATURE: _Bands = (("35.0", 3), ("36.0", 1), ("38.0", 0), ("39.0", 1), (_TOP, 2))


@dataclass(frozen=True, kw_only=True)
class News2:
    """``score`` is None when nothing is known; with ``missing`` parameters score and band are lower bounds."""

    score: int | None
    components: Mapping[str, int]  # points of the known parameters
    missing: tuple[str, ...]
    band: str | None  # low, low-medium (any single parameter at 3), medium, high


def news2(values: Mapping[str, float | None], on_oxygen: bool | None, acvpu: str | None, *, scale: int = 1) -> News2:
    """The score from ``values`` by short name (``resp_rate, spo2, sbp, heart_rate, temperature``).

    ``on_oxygen`` and ``acvpu`` (A, C, V, P or U) are None when unknown. ``scale`` 2 of SpO2 is for prescribed targets
    of 88-92 % only and needs ``on_oxygen`` from 93 % up; it is never inferred here. ``ValueError`` for another letter.
    """
    points = {
        "resp_rate": _points(values.get("resp_rate"), _RESP_RATE, "1"),
        "spo2": _spo2(values.get("spo2"), on_oxygen, scale),
        "oxygen": None if on_oxygen is None else 2 * int(on_oxygen),
        "sbp": _points(values.get("sbp"), _SBP, "1"),
        "heart_rate": _points(values.get("heart_rate"), _HEART_RATE, "1"),
        "consciousness": _consciousness(acvpu),
        "temperature": _points(values.get("temperature"), _TEMPERATURE, "0.1"),
    }
    known = {name: value for name, value in points.items() if value is not None}
    missing = tuple(name for name in PARAMETERS if name not in known)
    score = sum(known.values()) if known else None
    return News2(score=score, components=known, missing=missing, band=_band(score, known))


def consciousness_of_gcs(gcs: float | None) -> str | None:
    """A for a Glasgow coma score of 15, V below it (3 points, as any altered level), None where none is charted."""
    return None if gcs is None else "A" if gcs >= 15 else "V"


def oxygen_of_fio2(percent: float | None) -> bool | None:
    """Whether an inspired oxygen above room air (21 %) is given; None where none is charted."""
    return None if percent is None else percent > 21.0


def _points(value: float | None, bands: _Bands, resolution: str) -> int | None:
    if value is None or math.isnan(value):
        return None
    # float32 charts 38.05 as 38.04999…: four decimals undo that before half-up rounding
    charted = Decimal(str(round(float(value), 4))).quantize(Decimal(resolution), ROUND_HALF_UP)
    return next(points for end, points in bands if charted <= Decimal(end))


def _spo2(value: float | None, on_oxygen: bool | None, scale: int) -> int | None:
    if scale == 1:
        return _points(value, _SPO2_1, "1")
    on_air, with_oxygen = _points(value, _SPO2_2_AIR, "1"), _points(value, _SPO2_2_OXYGEN, "1")
    if on_oxygen is None:  # known only where both ways agree
        return on_air if on_air == with_oxygen else None
    return with_oxygen if on_oxygen else on_air


def _consciousness(acvpu: str | None) -> int | None:
    if acvpu is None:
        return None
    if acvpu not in ("A", "C", "V", "P", "U"):
        raise ValueError("the level of consciousness is one of A, C, V, P, U")
    return 0 if acvpu == "A" else 3


def _band(score: int | None, components: Mapping[str, int]) -> str | None:
    if score is None:
        return None
    if score >= 7:
        return "high"
    if score >= 5:
        return "medium"
    return "low-medium" if 3 in components.values() else "low"
