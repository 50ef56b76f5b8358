"""A site's own table of where its devices stand: ``device,bed,from,to`` in the site's zone; an empty ``to`` lasts."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import END, local
from clinical_jepa.timeline.beds import Association

COLUMNS = ["device", "bed", "from", "to"]


def site_table(lines: Iterable[str], zone: ZoneInfo) -> tuple[Association, ...]:
    """The associations of a CSV table; ``BadRequest`` that names the line where one cannot be read for certain."""
    reader = csv.DictReader(lines)
    if reader.fieldnames != COLUMNS:
        raise BadRequest(f"a table of devices has the columns {','.join(COLUMNS)}")
    return tuple(_association(row, zone, number) for number, row in enumerate(reader, start=2))


def _association(row: dict[str, str], zone: ZoneInfo, line: int) -> Association:
    if None in row or None in row.values():
        raise BadRequest(f"line {line} of the table of devices has not as many cells as the head")
    if not row["device"] or not row["bed"]:
        raise BadRequest(f"line {line} of the table of devices names no device or no bed")
    start = _instant(row["from"], zone, line)
    end = _instant(row["to"], zone, line) if row["to"] else END
    if end <= start:
        raise BadRequest(f"line {line} of the table of devices ends before it begins")
    return Association(device=row["device"], bed=row["bed"], start=start, end=end)


def _instant(text: str, zone: ZoneInfo, line: int) -> int:
    try:
        return local(text, zone)
    except ValueError as error:
        raise BadRequest(f"line {line} of the table of devices has in from or to {error}") from error
