"""A unit read again under another clock: the versions that make the new reading hold, whatever was said of its facts before.

An offset moves a row's time and, in history, its available time. So an earlier reading's version may be the newest one for
a while, or for good. Wherever one is, a further version is put at the same instant: the new row where that is available by
then, else a retraction. Nothing is edited, and nothing of the earlier reading is seen in history. Live, what was believed
stays believed until now.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.events import EVENTS, RETRACTED
from clinical_jepa.vocabulary.identity import content_id

Row = dict[str, Any]
_SAID = ("time", "code", "numeric_value", "text_value", "unit", "status")


def superseding(rows: pa.Table, versions: pa.Table, *, live: bool) -> pa.Table:
    """``rows`` (EVENTS) and what must stand beside them; ``versions`` is every EVENTS row that came before."""
    before = versions.filter(pc.is_in(versions["fact_id"], rows["fact_id"].combine_chunks()))
    if not before.num_rows:
        return rows
    newest = _newest(before)
    held = set(before["event_id"].to_pylist())
    further: list[Row] = []
    for row in rows.to_pylist():
        said = newest.get(row["fact_id"], {})
        if live:
            said = {instant: said[instant] for instant in [max(said)] if row["event_id"] in held} if said else {}
        for instant, top in said.items():
            wanted = row if live or instant >= row["available_time"] else _retraction(row, top)
            if not _same(wanted, top):
                further.append(wanted | {"available_time": instant, "event_id": _after(wanted, top)})
    return pa.concat_tables([rows, pa.Table.from_pylist(further, EVENTS)])


def _newest(versions: pa.Table) -> dict[str, dict[Any, Row]]:
    """By fact and instant: the version that holds from then on."""
    newest: dict[str, dict[Any, Row]] = {}
    for row in versions.select(EVENTS.names).to_pylist():
        mine = newest.setdefault(row["fact_id"], {})
        known = mine.get(row["available_time"])
        if known is None or known["event_id"] < row["event_id"]:
            mine[row["available_time"]] = row
    return newest


def _retraction(row: Row, top: Row) -> Row:
    return row | {"time": top["time"], "numeric_value": None, "text_value": None, "status": "entered-in-error"}


def _same(wanted: Row, top: Row) -> bool:
    if wanted["status"] in RETRACTED:
        return top["status"] in RETRACTED
    return all(wanted[name] == top[name] for name in _SAID)


def _after(wanted: Row, top: Row) -> str:
    """An id of its own that sorts after the id of the version whose place it takes: of two at one instant that one holds."""
    turn = 0
    while (found := content_id(wanted["event_id"], wanted["status"], top["event_id"], turn)) <= top["event_id"]:
        turn += 1
    return found
