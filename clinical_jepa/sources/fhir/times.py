"""FHIR dates and times as instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from clinical_jepa.records.instant import to_us


@lru_cache(maxsize=4096)  # a charting round shares its time
def instant(text: str, zone: ZoneInfo) -> int:
    """Microseconds UTC of a dateTime or instant; a date, month or year alone counts from its end, in the site's zone.

    What is only said to have happened on a day is not known before that day is over. ``ValueError`` for anything else,
    a time without an offset included.
    """
    if "T" in text:
        return to_us(datetime.fromisoformat(text))
    return _midnight(_after(text), zone)


def day_start(text: str, zone: ZoneInfo) -> int:
    """The first instant of a date, month or year (a birth date), in the site's zone."""
    padded = text + "-01-01"[len(text) - 4 :] if len(text) < 10 else text
    return _midnight(date.fromisoformat(padded), zone)


def _after(text: str) -> date:
    if len(text) == 4:
        return date(int(text) + 1, 1, 1)
    if len(text) == 7:
        first = date.fromisoformat(text + "-01")
        return date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return date.fromisoformat(text) + timedelta(days=1)


def _midnight(day: date, zone: ZoneInfo) -> int:
    return to_us(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))
