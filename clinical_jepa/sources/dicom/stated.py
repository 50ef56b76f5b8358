"""What a site states of files that do not say whose they are, or when they were taken: ``dicom-site.csv`` beside them.

Columns ``file`` (a pattern of paths as seen from the table's folder), ``patient``, ``time`` (ISO 8601; without an offset in
the site's zone). The first row that fits counts. It fills what a file leaves empty and changes nothing that a file says, so
a fault of it costs the files that need the faulty row, or the table: they are refused, and read again when it is mended.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from clinical_jepa.records.instant import to_us
from clinical_jepa.sources.dicom.opening import Refused

NAME = "dicom-site.csv"
COLUMNS = ("file", "patient", "time")
_UP = 5  # folders: the file's own and its parents


@dataclass(frozen=True, kw_only=True)
class Stated:
    """Of one file: the patient's identifier and the instant (µs UTC), each None where the site says nothing."""

    patient: str | None = None
    time: int | None = None


def table_of(path: Path) -> Path | None:
    """The nearest table in the file's folder or above it."""
    return next((folder / NAME for folder in islice(path.parents, _UP) if (folder / NAME).is_file()), None)


def stated(path: Path, zone: ZoneInfo) -> Stated:
    """What the site states of this file; ``Refused`` where its row, or the table, cannot be read."""
    table = table_of(path)
    if table is None:
        return Stated()
    name = path.relative_to(table.parent).as_posix()
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise Refused("invalid", f"{NAME}: its columns are not {', '.join(COLUMNS)}")
            row = next((one for one in rows if fnmatchcase(name, one["file"] or "")), None)
            line = rows.line_num
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refused("invalid", f"{NAME} is no table in UTF-8 ({type(error).__name__})") from error
    try:
        return Stated() if row is None else _stated(row, zone)
    except ValueError as error:
        raise Refused("invalid", f"{NAME} line {line}: its time is none of ISO 8601, like 2026-01-05T09:12") from error


def _stated(row: dict[str, str], zone: ZoneInfo) -> Stated:
    patient, time = (row["patient"] or "").strip(), (row["time"] or "").strip()
    if not time:
        return Stated(patient=patient or None)
    moment = datetime.fromisoformat(time)
    return Stated(patient=patient or None, time=to_us(moment if moment.tzinfo else moment.replace(tzinfo=zone)))
