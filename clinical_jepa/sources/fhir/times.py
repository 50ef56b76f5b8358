"""FHIR dates and times as instants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from clinical_jepa.records.instant import SECOND, to_us

_MANY = 1 << 17  # different pieces of times kept in memory: a day has 86,400 seconds
_WHOLE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}(-\d\d(-\d\d)?)?", re.ASCII)


@lru_cache(maxsize=4096)  # a charting round shares its time
def instant(text: str, zone: ZoneInfo) -> int:
    """Microseconds UTC of a dateTime or instant; a date, month or year alone counts from its end, in the site's zone.

    What is only said to have happened on a day is not known before that day is over. A leap second is the second after it.
    ``ValueError`` for anything else, a time without an offset or without seconds included: FHIR has none.
    ``OverflowError`` for what lies outside the years 1 to 9999 in UTC.
    """
    if "T" in text:
        if not _WHOLE.fullmatch(text):
            raise ValueError("a time must have seconds and an offset")
        if text[17:19] == "60":
            return to_us(datetime.fromisoformat(f"{text[:17]}59{text[19:]}").astimezone(UTC)) + SECOND
        return to_us(datetime.fromisoformat(text).astimezone(UTC))
    return _midnight(_after(text), zone)


def only_event(timing: Mapping[str, Any]) -> str | None:
    """The one instant that a Timing states; None where it states several, or a rule that makes them."""
    events = timing.get("event", [])
    if not isinstance(events, list) or len(events) != 1 or "repeat" in timing:
        return None
    if not isinstance(events[0], str):
        raise TypeError("an event is written as something else than a text")
    return events[0]


def day_start(text: str, zone: ZoneInfo) -> int:
    """The first instant of a date, month or year (a birth date), in the site's zone."""
    if not _DAY.fullmatch(text):
        raise ValueError("a date is written YYYY, YYYY-MM or YYYY-MM-DD")
    padded = text + "-01-01"[len(text) - 4 :] if len(text) < 10 else text
    return _midnight(date.fromisoformat(padded), zone)


@lru_cache(maxsize=1024)  # a charting round shares its time; few enough for a processor's own memory
def quick_instant(text: str) -> tuple[int, str]:
    """``instant`` of a dateTime with an offset, as a number and as its digits, out of pieces met before."""
    try:
        moment = _days[text[:11]] + _clocks[text[11:]]
    except KeyError:
        moment = _learned(text)
    return moment, str(moment)


_days: dict[str, int] = {}  # with the T after them
_clocks: dict[str, int] = {}  # with their offset
_UTC = ZoneInfo("UTC")


def _learned(text: str) -> int:
    if text[10:11] != "T":
        raise ValueError("a date alone is no instant")
    whole = instant(text, _UTC)  # refuses what is no instant before any piece of it is kept
    if "1000" < text[:4] < "9000":  # pieces do not see the ends of the calendar
        for pieces, piece, moment in (
            (_days, text[:11], f"{text[:11]}00:00:00Z"),
            (_clocks, text[11:], f"1970-01-01T{text[11:]}"),
        ):
            if len(pieces) >= _MANY:
                pieces.clear()
            pieces[piece] = instant(moment, _UTC)
    return whole


def _after(text: str) -> date:
    if not _DAY.fullmatch(text):
        raise ValueError("a date is written YYYY, YYYY-MM or YYYY-MM-DD")
    if len(text) == 4:
        return date(int(text) + 1, 1, 1)
    if len(text) == 7:
        first = date.fromisoformat(text + "-01")
        return date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return date.fromisoformat(text) + timedelta(days=1)


def _midnight(day: date, zone: ZoneInfo) -> int:
    return to_us(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))
