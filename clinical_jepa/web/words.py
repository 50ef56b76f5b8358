"""Instants, ages and values as a person reads them. All times are shown in the site's zone, which is named on the page."""

from __future__ import annotations

import math
from zoneinfo import ZoneInfo

from clinical_jepa.records.forecasts import Why
from clinical_jepa.records.instant import DAY, HOUR, MINUTE, SECOND, from_us
from clinical_jepa.vocabulary.codes import by_code

_DECIMALS = {
    "Cel": 1,
    "mmol/L": 1,
    "ug/kg/min": 2,
    "[pH]": 2,
    "mg/dL": 1,
    "g/dL": 1,
    "1": 1,
    "10*3/uL": 1,
    "[iU]/min": 2,
}
_COARSE = ("mmol/L", "mg/dL", "10*3/uL")  # of these, values from 20 up are printed whole
_UNITS = {"mm[Hg]": "mmHg", "Cel": "°C", "ug/kg/min": "µg/kg/min", "[pH]": "", "{score}": "", "1": "", "10*3/uL": "×10³/µL",
          "[iU]/min": "U/min"}  # fmt: skip
_SHORT = {"heart_rate": "HR", "resp_rate": "RR", "spo2": "SpO₂", "temperature": "Temp", "sbp": "SBP", "dbp": "DBP", "map": "MAP",
          "fio2": "FiO₂", "gcs": "GCS", "acvpu": "ACVPU"}  # fmt: skip

# what is said on the list of beds, and what it means
ABSTENTIONS = {
    Why.WARMING_UP: (
        "Warming up",
        "The stay is too short for a forecast; the question is asked once enough has been seen.",
    ),
    Why.IN_EVENT: (
        "Event under way",
        "The patient already meets a criterion of the event, so its onset is not forecast.",
    ),
    Why.NO_VITALS: ("No vital signs", "No vital sign has ever arrived for this patient, so nothing can be said."),
    Why.STALE_VITALS: ("Vital signs too old", "The newest vital signs are too old to speak of the present."),
    Why.NOT_PRESENT: ("Not on the ward", "The patient was not known to be here when the question was asked."),
    Why.UNFAMILIAR: (
        "Unlike training patients",
        "The patient is unlike those the model was fitted on; a number would mislead.",
    ),
}


def clock_time(instant: int, zone: ZoneInfo) -> str:
    """``14:05``."""
    return f"{from_us(instant).astimezone(zone):%H:%M}"


def near_time(instant: int, now: int, zone: ZoneInfo) -> str:
    """``14:05``, with its day where that is more than half a day away from ``now``."""
    return (clock_time if abs(now - instant) <= DAY // 2 else day_time)(instant, zone)


def day_time(instant: int, zone: ZoneInfo) -> str:
    """``Mon 5 Jan 14:05``."""
    moment = from_us(instant).astimezone(zone)
    return f"{moment:%a} {moment.day} {moment:%b} {moment:%H:%M}"


def full_time(instant: int, zone: ZoneInfo) -> str:
    """``2026-01-05 14:05:09 UTC``."""
    return f"{from_us(instant).astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def age(span: int) -> str:
    """A length of time in its two largest units: ``40 s``, ``4 min``, ``2 h 10 min``, ``3 d 4 h``."""
    if span < 0:
        return f"{age(-span)} ahead"
    if span < MINUTE:
        return f"{span // SECOND} s"
    if span < HOUR:
        return f"{span // MINUTE} min"
    large, small, names = (HOUR, MINUTE, ("h", "min")) if span < DAY else (DAY, HOUR, ("d", "h"))
    rest = span % large // small
    return f"{span // large} {names[0]}" + (f" {rest} {names[1]}" if rest else "")


def percent(share: float) -> str:
    """``34``; below one and above 99 per cent it says so rather than 0 or 100."""
    if share < 0.01:
        return "<1"
    return ">99" if share > 0.99 else f"{share * 100:.0f}"


def number(value: float | None, code: str) -> str:
    """A value with the decimals that suit its unit; an en dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    unit_ = unit_code(code)
    decimals = 0 if unit_ in _COARSE and abs(value) >= 20 else _DECIMALS.get(unit_, 0)
    return f"{value:.{decimals}f}"


def unit_code(code: str) -> str:
    """The canonical UCUM unit of a code, or an empty string."""
    listed = by_code().get(code)
    return (listed.unit if listed else None) or ""


def unit(code: str) -> str:
    """The unit as printed: ``mmHg`` for ``mm[Hg]``."""
    return printed_unit(unit_code(code))


def printed_unit(ucum: str) -> str:
    """A UCUM unit as printed; nothing for a pure number."""
    return _UNITS.get(ucum, ucum)


def label(code: str) -> str:
    """The name of a code for a person; an unlisted code is shown as it is."""
    listed = by_code().get(code)
    return listed.label if listed else code


def short(code: str) -> str:
    """``HR`` for heart rate, else the label."""
    listed = by_code().get(code)
    return _SHORT.get(listed.name, listed.label) if listed else code
