"""DICOM dates and times → instants; the site's zone where the file declares no offset."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from clinical_jepa.records.instant import to_us

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_OFFSET = re.compile(r"^([+-])(\d\d):?(\d\d)$")
_MOMENT = re.compile(r"^(\d{8})(\d{4}(?:\d\d(?:\.\d{1,6})?)?)([+-]\d{4})?$")  # a DT that says at least the minute
# Pairs of date and time, the study's first: it is the picture's place on the timeline.
_PAIRS = ("Study", "Series", "Acquisition", "Content")


def study_time(dataset: Dataset, zone: ZoneInfo) -> int | None:
    """µs UTC of the first complete pair of study, series, acquisition or content date and time; None without one."""
    return next(iter(_known(dataset, zone)), None)


def taken_by(dataset: Dataset, zone: ZoneInfo) -> int | None:
    """The latest of those times: before it the picture did not exist."""
    return max(_known(dataset, zone), default=None)


def created_time(dataset: Dataset, zone: ZoneInfo) -> int | None:
    """µs UTC at which the instance was written, or None where the file does not say.

    Of a local time that a clock change shows twice the later: it tells when the picture could be known, never too early.
    """
    return _pair(dataset, "InstanceCreation", zone, late=True)


def acquired(dataset: Dataset, zone: ZoneInfo) -> int | None:
    """µs UTC of AcquisitionDateTime, else of the acquisition's date and time; where a waveform's clock starts."""
    moment = _moment(dataset, "AcquisitionDateTime", zone)
    return moment if moment is not None else _pair(dataset, "Acquisition", zone)


def _known(dataset: Dataset, zone: ZoneInfo) -> list[int]:
    found = [_pair(dataset, name, zone) for name in _PAIRS]
    found += [_moment(dataset, name, zone) for name in ("AcquisitionDateTime", "FrameAcquisitionDateTime")]
    return [time for time in found if time is not None]


def _pair(dataset: Dataset, name: str, zone: ZoneInfo, *, late: bool = False) -> int | None:
    date, time = str(dataset.get(f"{name}Date") or ""), str(dataset.get(f"{name}Time") or "")
    moment = parse(date, time, _zone(dataset, zone))
    if moment is None:
        return None
    return max(to_us(moment), to_us(moment.replace(fold=1))) if late else to_us(moment)


def _moment(dataset: Dataset, name: str, zone: ZoneInfo) -> int | None:
    found = _MOMENT.match(str(dataset.get(name) or "").strip())
    if found is None:
        return None
    moment = parse(found[1], found[2], _offset(found[3] or "") or _zone(dataset, zone))
    return None if moment is None else to_us(moment)


def parse(date: str, time: str, zone: tzinfo) -> datetime | None:
    """The moment of a DA and a TM (ACR-NEMA's ``1994.11.05`` and ``12:34:56`` too); None if either is no such."""
    day = re.fullmatch(r"(\d{4})\.?(\d\d)\.?(\d\d)", date.strip())
    clock = re.fullmatch(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?", time.strip())
    if day is None or clock is None:
        return None
    year, month, number = (int(part) for part in day.groups())
    hour, minute, second = (int(part or 0) for part in clock.groups()[:3])
    fraction = int((clock[4] or "0").ljust(6, "0"))
    leap, second = divmod(second, 60) if second == 60 else (0, second)  # a leap second is the next minute's first
    try:
        moment = datetime(year, month, number, hour, minute, second, fraction, tzinfo=zone)
    except ValueError:
        return None
    return moment + timedelta(minutes=leap)


def _zone(dataset: Dataset, zone: ZoneInfo) -> tzinfo:
    return _offset(str(dataset.get("TimezoneOffsetFromUTC") or "").strip()) or zone


def _offset(text: str) -> tzinfo | None:
    found = _OFFSET.match(text)
    if found is None:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    return timezone(timedelta(minutes=minutes if found[1] == "+" else -minutes))
