"""Instants: whole microseconds since 1970-01-01T00:00 UTC, the unit of MEDS and of every border here.

Zones exist only at the edges; a naive datetime is refused so that no zone is guessed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

BEGINNING = -(2**62)  # before every instant; beyond what a datetime holds, so for comparing only
END = 2**62  # after every instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch of a zoned datetime; ``ValueError`` for a naive one."""
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone is not an instant: {moment.isoformat()}")
    gap = moment - _EPOCH
    return (gap.days * 86_400 + gap.seconds) * SECOND + gap.microseconds


def local(text: str, zone: tzinfo) -> int:
    """The instant of an ISO time, of ``zone`` where it has no offset.

    ``ValueError`` for no such time, and for one that a change of clocks shows twice or never.
    """
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ValueError("no ISO time") from error
    if moment.tzinfo is None:
        first, second = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        if first.utcoffset() != second.utcoffset():
            raise ValueError("a time that lies in a change of clocks; write it with its offset")
        moment = first
    return to_us(moment)


def from_us(instant: int) -> datetime:
    """The UTC datetime of an instant (exact)."""
    return _EPOCH + timedelta(microseconds=instant)


def iso(instant: int) -> str:
    """``2026-01-02T03:04:05Z``, with microseconds only where there are some."""
    return from_us(instant).isoformat().replace("+00:00", "Z")


def floor_minute(instant: int) -> int:
    """The whole minute at or before an instant."""
    return instant - instant % MINUTE


def ceil_minute(instant: int) -> int:
    """The whole minute at or after an instant: the end of the bin ``(m - 1 min, m]`` that holds it."""
    return -(-instant // MINUTE) * MINUTE
