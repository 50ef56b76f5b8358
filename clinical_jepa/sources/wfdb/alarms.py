"""Alarm annotations beside a record (``<record>.al``) → ``ALARM//<name>`` events at the moment of the alarm."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clinical_jepa.records.instant import SECOND
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.rows import Fact, Origin, Rows
from clinical_jepa.sources.wfdb.annotations import parse
from clinical_jepa.sources.wfdb.record import LONGEST, TopRecord, refuse

if TYPE_CHECKING:
    from clinical_jepa.sources.context import ReadContext

SOURCE = "wfdb:alarms"


def alarms(record: TopRecord, context: ReadContext) -> Rows:
    """The alarms of a record; none where it has no ``.al`` file, a rejection where that cannot be read."""
    rows = Rows()
    path = record.path.with_suffix(".al")
    if not path.exists():
        return rows
    try:
        found = parse(path.read_bytes())
    except (ValueError, OSError) as error:
        message = f"the alarm annotations cannot be read: {error}; none was kept, the signals were"
        rows.rejections.append(refuse(path, record.path.stem, "unreadable", message))
        return rows
    rate = found.rate_hz or record.rate_hz
    for number, (sample, text) in enumerate(found.notes):
        origin = Origin(source=SOURCE, file=path.name, record=f"{record.path.stem} alarm {number}")
        if abs(sample) * SECOND / rate > LONGEST:
            rows.reject(origin, "invalid", "an alarm more than a year away from its record's start")
        else:
            rows.add(_fact(record, context, record.start + round(sample * SECOND / rate), text), origin)
    return rows


def _fact(record: TopRecord, context: ReadContext, time: int, text: str) -> Fact:
    subject = record.identity.subject_id
    available, basis = availability(time, delay=context.delays["monitor"])
    name = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
    code = f"ALARM//{name}" if name else "ALARM"
    return Fact(
        key=f"{subject}/{code}/{time}",
        subject_id=subject,
        code=code,
        time=time,
        available_time=available,
        available_basis=basis,
        text=text or None,
    )
