"""Alarms → ``ALARM//<name>`` events at the moment of the alarm; other annotations are counted.

Alarms come as annotations beside a record (``<record>.al``), or as the two comments with which the PhysioNet/CinC 2015
challenge describes a bedside alarm: its name, and what experts thought of it later. That alarm rang 300 s into the record.
What the experts thought was not known then and is never stored. Beats and rhythms (``.atr``, ``.qrs`` …) are no facts
of this system.
"""

from __future__ import annotations

import glob
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_jepa.records.instant import SECOND
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.growing import growing
from clinical_jepa.sources.rows import Fact, Origin, Rows
from clinical_jepa.sources.wfdb.annotations import Annotations, parse
from clinical_jepa.sources.wfdb.record import LONGEST, TopRecord, refuse

if TYPE_CHECKING:
    from clinical_jepa.sources.context import ReadContext

SOURCE = "wfdb:alarms"
WAITING = "still being written, left for a later run"
BEDSIDE = ("Asystole", "Bradycardia", "Tachycardia", "Ventricular_Tachycardia", "Ventricular_Flutter_Fib")
_VERDICTS = ("True alarm", "False alarm")
_BEDSIDE_AT = 300 * SECOND
# what lies beside a record under its name and holds no annotations
_OTHER = frozenset({".hea", ".dat", ".mat", ".edf", ".csv", ".txt", ".md", ".json", ".gz", ".xyz", ".html", ".png"})


def alarms(record: TopRecord, context: ReadContext, ignored: Counter[str]) -> Rows:
    """The alarms of a record, and a rejection for every annotation file that ends too early.

    ``ignored`` is told of the annotations that are none, and of files that are still being written.
    """
    rows = Rows()
    for path in annotation_files(record):
        try:
            found = parse(path.read_bytes())
        except OSError as error:
            message = f"the annotations cannot be read ({type(error).__name__}); none was kept, the signals were"
            rows.rejections.append(refuse(path, path.name, "unreadable", message))
            continue
        if path.suffix == ".al":
            _events(rows, record, context, found, path)
        elif found.notes:
            ignored[f"annotation {path.suffix}"] += len(found.notes)
        if not found.whole and growing([path], context):
            ignored[WAITING] += 1
        elif not found.whole:
            message = f"the annotations end before their end mark; {len(found.notes)} were sound, the signals were read"
            rows.rejections.append(refuse(path, path.name, "unreadable", message))
    _bedside(rows, record, context, ignored)
    return rows


def annotation_files(record: TopRecord) -> list[Path]:
    """The files under the record's name that are neither headers, nor signals, nor of another known kind."""
    beside = sorted(record.path.parent.glob(f"{glob.escape(record.path.stem)}.*"))
    taken = record.header.files
    return [path for path in beside if path.suffix not in _OTHER and path.name not in taken and path.is_file()]


def _events(rows: Rows, record: TopRecord, context: ReadContext, found: Annotations, path: Path) -> None:
    rate = found.rate_hz or record.rate_hz
    for number, (sample, text) in enumerate(found.notes):
        origin = _origin(record, path, f"alarm {number}")
        if abs(sample) * SECOND / rate > LONGEST:
            rows.reject(origin, "invalid", "an alarm more than a year away from its record's start")
        else:
            rows.add(_fact(record, context, record.start + round(sample * SECOND / rate), text), origin)


def _bedside(rows: Rows, record: TopRecord, context: ReadContext, ignored: Counter[str]) -> None:
    comments = record.header.comments
    if len(comments) >= 2 and comments[0] in BEDSIDE and comments[1] in _VERDICTS:
        origin = _origin(record, record.path, "bedside alarm")
        rows.add(_fact(record, context, record.start + _BEDSIDE_AT, comments[0]), origin)
        ignored["experts' later verdict on an alarm"] += 1


def _origin(record: TopRecord, path: Path, what: str) -> Origin:
    where = f"{record.path.stem} {what}"
    return Origin(source=record.source(SOURCE), file=path.name, record=where, shifted=record.offset != 0)


def _fact(record: TopRecord, context: ReadContext, time: int, text: str) -> Fact:
    subject = record.identity.subject_id
    available, basis = availability(time, delay=context.delays["monitor"])
    name = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
    code = f"ALARM//{name}" if name else "ALARM"
    return Fact(
        key=f"{subject}/{code}/{record.own(time)}",
        subject_id=subject,
        code=code,
        time=time,
        available_time=available,
        available_basis=basis,
        text=text or None,
    )
