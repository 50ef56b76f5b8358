"""What a site knows of records that do not tell it themselves: ``wfdb_records.csv``, in their folder or up to three above.

    record,subject,start
    bed7/0001,123,2026-01-05T09:12:00.5+01:00

``record`` is the header's path below the file's folder, without ``.hea``. ``subject`` empty: the record's name tells it.
``start`` (of frame 0) empty: the header tells it; without an offset it is a time of the site's zone.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from clinical_jepa.records.instant import to_us

FILE = "wfdb_records.csv"
_ABOVE = 4  # folders looked into, the record's own included


@dataclass(frozen=True, kw_only=True)
class Placing:
    """Whose a record is and when it starts (µs UTC), each None where the site does not say."""

    subject: str | None = None
    start: int | None = None


def file_for(header: Path) -> Path | None:
    """The nearest site file, or None."""
    candidates = (folder / FILE for folder in list(header.parents)[:_ABOVE])
    return next((path for path in candidates if path.is_file()), None)


def placing(header: Path, zone: ZoneInfo) -> Placing:
    """What the site says of a record; ``ValueError`` where its line, or the file, cannot be read."""
    path = file_for(header)
    if path is None:
        return Placing()
    name = header.relative_to(path.parent).with_suffix("").as_posix()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = [line for line in csv.DictReader(file) if (line.get("record") or "").strip() == name]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{FILE} is no table in UTF-8") from error
    if len(lines) > 1:
        raise ValueError(f"{FILE} names the record more than once")
    if not lines:
        return Placing()
    subject, start = ((lines[0].get(column) or "").strip() for column in ("subject", "start"))
    return Placing(subject=subject or None, start=_instant(start, zone) if start else None)


def _instant(text: str, zone: ZoneInfo) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{FILE} gives the record a start that is no time") from error
    return to_us(moment if moment.tzinfo else moment.replace(tzinfo=zone))
