"""HL7 times (``YYYY[MM[DD[HH[MM[SS[.S…]]]]]][+ZZZZ]``) as instants."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from clinical_jepa.records.instant import to_us

_TIME = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,9}))?)?)?)?)?)?([+-]\d{4})?", re.ASCII
)


@lru_cache(maxsize=4096)
def instant(text: str, zone: tzinfo, *, late: bool = False) -> int | None:
    """Microseconds UTC; None for an empty text. ``ValueError`` for what is no HL7 time.

    A time without an offset lies in ``zone``. One cut before its minute counts from its end: what is only said to have
    happened on a day, or in an hour, is not known before that is over. A local time that a clock change shows twice is
    the first of the two, or with ``late`` (reporting times: never too early) the second.
    """
    if not text:
        return None
    start, place, width = _parsed(text, zone)
    if width is not None:
        start = _after(start, width)
    moments = [to_us(start.replace(tzinfo=place, fold=fold).astimezone(UTC)) for fold in (0, 1)]
    return max(moments) if late else moments[0]


def day_start(text: str, zone: tzinfo) -> int | None:
    """The first instant of what a date says (a birth), in ``zone``; None for an empty text, ``ValueError`` for none."""
    if not text:
        return None
    start, place, _ = _parsed(text, zone)
    return to_us(start.replace(tzinfo=place).astimezone(UTC))


def offset(text: str) -> tzinfo | None:
    """The offset written in a time: in MSH-7 it stands for every time of the message that has none."""
    match = _TIME.fullmatch(text)
    return None if match is None or match[8] is None else _offset(match[8])


def _parsed(text: str, zone: tzinfo) -> tuple[datetime, tzinfo, str | None]:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("no HL7 time")
    year, month, day, hour, minute, second = (int(part) if part else None for part in match.groups()[:6])
    fraction = int((match[7] or "0")[:6].ljust(6, "0"))
    width = "year" if month is None else "month" if day is None else "day" if hour is None else None
    width = width or ("hour" if minute is None else None)
    start = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, fraction)  # noqa: DTZ001
    return start, zone if match[8] is None else _offset(match[8]), width


def _after(start: datetime, width: str) -> datetime:
    match width:
        case "year":
            return start.replace(year=start.year + 1)
        case "month":
            return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
        case "day":
            return start + timedelta(days=1)
        case _:
            return start + timedelta(hours=1)


def _offset(text: str) -> tzinfo:
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    if int(text[3:5]) > 59 or minutes > 14 * 60:
        raise ValueError("no offset from UTC")
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
