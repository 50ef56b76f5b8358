"""Clocks of monitors that stand off from the chart's: a site's table, and what it says of one record.

    subject,record,from,to,offset_s,low_s,high_s,basis
    10013,,2026-01-05T09:00,2026-01-07T12:00,5400,5280,5500,heart rate

A row is about the records of a subject, or the one record (a header's name without ``.hea``), that begin in ``[from, to)``
by the monitor's own clock; an empty ``from`` or ``to`` has no end. ``offset_s`` (seconds, chart minus monitor, known to lie
from ``low_s`` to ``high_s``) is added to the monitor's times. ``basis`` says for a person why it is believed.

What is moved keeps its ids, so that it takes the place of what was read under another offset, and its sources are marked.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import BEGINNING, END, MINUTE, SECOND, local

COLUMNS = ["subject", "record", "from", "to", "offset_s", "low_s", "high_s", "basis"]
NARROW = 6 * MINUTE  # from low to high, at most: what is less certain is not applied
MARK = "shifted"


@dataclass(frozen=True, kw_only=True)
class ClockOffset:
    """``offset`` µs to add to the times of the records it is about; None matches every subject, or every record."""

    subject: str | None
    record: str | None
    start: int
    end: int
    offset: int


def table(lines: Iterable[str], zone: ZoneInfo) -> tuple[ClockOffset, ...]:
    """The rows of a table; ``BadRequest`` names the line that cannot be believed, and nothing of the table is used."""
    reader = csv.DictReader(lines)
    if reader.fieldnames != COLUMNS:
        raise BadRequest(f"a table of clock offsets has the columns {','.join(COLUMNS)}")
    found = []
    for number, row in enumerate(reader, start=2):
        try:
            found.append(_row(row, zone))
        except ValueError as error:
            raise BadRequest(f"line {number} of the table of clock offsets: {error}; nothing was shifted") from error
    return tuple(found)


def _row(row: dict[str, str], zone: ZoneInfo) -> ClockOffset:
    if None in row or None in row.values():
        raise ValueError("it has not as many cells as the head")
    if not row["subject"] and not row["record"]:
        raise ValueError("it names no subject and no record")
    if not row["basis"].strip():
        raise ValueError("basis is empty: say why the offset is believed")
    offset, low, high = (_microseconds(row[name], name) for name in ("offset_s", "low_s", "high_s"))
    if not low <= offset <= high:
        raise ValueError("offset_s does not lie from low_s to high_s")
    if high - low > NARROW + SECOND:  # seconds may be rounded in a table
        raise ValueError(
            f"an interval of {(high - low) / MINUTE:g} minutes is not narrow; {NARROW // MINUTE} at most are"
        )
    start = local(row["from"], zone) if row["from"] else BEGINNING
    end = local(row["to"], zone) if row["to"] else END
    if end <= start:
        raise ValueError("it ends before it begins")
    return ClockOffset(
        subject=row["subject"] or None, record=row["record"] or None, start=start, end=end, offset=offset
    )


def _microseconds(text: str, name: str) -> int:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError(f"{name} is a number of seconds")
    return round(seconds * SECOND)


def offset_of(offsets: Sequence[ClockOffset], subject: str, record: str, start: int) -> int:
    """What to add to the times of a record that begins at ``start`` by its own clock; ``ValueError`` where rows disagree."""
    said = {
        one.offset
        for one in offsets
        if one.subject in (None, subject) and one.record in (None, record) and one.start <= start < one.end
    }
    if len(said) > 1:
        raise ValueError(f"the table of clock offsets gives it {len(said)} offsets at once")
    return next(iter(said), 0)


def source(name: str) -> str:
    """The name of a source whose rows were moved."""
    return f"{MARK}:{name}"


def moved(name: str) -> bool:
    """Whether a row of this source was moved."""
    return MARK in name.split(":")
