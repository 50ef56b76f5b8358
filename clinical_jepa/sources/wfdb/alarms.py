"""Alarm annotations beside a record (``<record>.al``) → ``ALARM//<name>`` events at the moment of the alarm."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clinical_jepa.records.instant import SECOND
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.rows import Fact, Origin, Rows
from clinical_jepa.sources.wfdb.record import TopRecord, refuse

if TYPE_CHECKING:
    from clinical_jepa.sources.context import ReadContext

SOURCE = "wfdb:alarms"


def alarms(record: TopRecord, context: ReadContext) -> Rows:
    """The alarms of a record; none where it has no ``.al`` file, a rejection where that cannot be read."""
    import wfdb

    rows = Rows()
    path = record.path.with_suffix(".al")
    if not path.exists():
        return rows
    try:
        notes = wfdb.rdann(str(path.with_suffix("")), "al")
    except Exception as error:  # wfdb raises many kinds on a broken annotation file
        message = f"the alarm annotations cannot be read ({type(error).__name__}); the signals were kept"
        rows.rejections.append(refuse(path, record.path.stem, "unreadable", message))
        return rows
    rate = notes.fs or record.rate_hz
    subject = record.identity.subject_id
    for sample, symbol, note in zip(notes.sample.tolist(), notes.symbol, notes.aux_note, strict=True):
        text = note.strip("\x00 ") or symbol
        time = record.start + round(sample * SECOND / rate)
        available, basis = availability(time, delay=context.delays.get("monitor", 0))
        name = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
        code = f"ALARM//{name}" if name else "ALARM"
        fact = Fact(
            key=f"{subject}/{code}/{time}",
            subject_id=subject,
            code=code,
            time=time,
            available_time=available,
            available_basis=basis,
            text=text,
        )
        rows.add(fact, Origin(source=SOURCE, file=path.name, record=f"{record.path.stem} #{sample}"))
    return rows
