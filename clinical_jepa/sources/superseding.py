"""A unit read again under another clock: the versions that make the new reading hold, whatever was said of its facts before.

An offset moves a row's time and, in history, its available time. So an earlier reading's version may be the newest one for
a while, or for good. Wherever one is, a further version is put at the same instant: the new row where that is available by
then, else a retraction. Nothing is edited, and nothing of the earlier reading is seen in history. Live, what was believed
stays believed until now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.batch import SignalPiece
from clinical_jepa.records.events import EVENTS, RETRACTED
from clinical_jepa.vocabulary.identity import content_id

Row = dict[str, Any]
_WRONG = "entered-in-error"
_EVENT = ("time", "code", "numeric_value", "text_value", "unit", "status")
_PIECE = ("time", "channel", "rate_hz", "unit")  # the fact's id holds a hash of the samples


@dataclass(frozen=True, kw_only=True)
class _Before:
    """What came of some facts before: by fact and instant (µs) the version that holds from then on, and the ids of all."""

    newest: dict[str, dict[int, Row]]
    held: frozenset[str]

    def further(self, row: Row, said: Sequence[str], *, live: bool) -> Iterator[tuple[int, Row, bool]]:
        """The instants at which a version has to be put, the one that holds there, and whether ``row`` is to hold instead.

        ``said`` names the columns in which readings of one fact may differ. Live, the commit stamps the row itself later than
        everything before it; only a row whose id is held already, and would not be taken, is put once more.
        """
        newest = self.newest.get(row["fact_id"], {})
        if live:
            newest = {max(newest): newest[max(newest)]} if newest and row["event_id"] in self.held else {}
        for instant, top in newest.items():
            holds, gone = live or instant >= row["available_time"], top["status"] in RETRACTED
            if holds == gone or (holds and any(row[name] != top[name] for name in said)):
                yield instant, top, holds


def events(rows: pa.Table, versions: pa.Table, *, live: bool) -> pa.Table:
    """``rows`` (EVENTS) and what must stand beside them; ``versions``: the EVENTS rows that came before."""
    before = _before(versions, rows["fact_id"].to_pylist())
    further: list[Row] = []
    for row in _plain(rows).to_pylist() if before.newest else ():
        for instant, top, holds in before.further(row, _EVENT, live=live):
            wrong = {"time": top["time"], "numeric_value": None, "text_value": None, "status": _WRONG}
            further.append(row | ({} if holds else wrong) | {"available_time": instant, "event_id": _after(row, top)})
    return pa.concat_tables([rows, pa.Table.from_pylist(further, EVENTS)])


def pieces(found: Sequence[SignalPiece], versions: pa.Table, *, live: bool) -> tuple[SignalPiece, ...]:
    """The same of waveforms; ``versions``: the SIGNALS rows that came before. A piece that was its own fact names it now."""
    named = {fact: replace(one, fact_id=fact) for one in found for fact in (one.fact_id or one.event_id,)}
    before = _before(versions, list(named))
    further: list[SignalPiece] = []
    for one in named.values():
        row = {name: getattr(one, name) for name in ("fact_id", "event_id", "available_time", *_PIECE)}
        for instant, top, holds in before.further(row, _PIECE, live=live):
            wrong = replace(one, time=top["time"], samples=np.full(1, np.nan, np.float32), status=_WRONG)
            further.append(replace(one if holds else wrong, available_time=instant, event_id=_after(row, top)))
    return (*named.values(), *further)


def _before(versions: pa.Table, facts: Sequence[str]) -> _Before:
    """A row without a fact is a fact of its own."""
    own = pc.coalesce(versions["fact_id"], versions["event_id"])
    mine = pc.is_in(own, pa.array(facts, pa.string()))
    known = _plain(versions.filter(mine)).append_column("own", own.filter(mine))
    newest: dict[str, dict[int, Row]] = {}
    for row in known.to_pylist():
        instants = newest.setdefault(row["own"], {})
        top = instants.get(row["available_time"])
        if top is None or top["event_id"] < row["event_id"]:
            instants[row["available_time"]] = row
    return _Before(newest=newest, held=frozenset(known["event_id"].to_pylist()))


def _plain(rows: pa.Table) -> pa.Table:
    """The rows with their instants as whole numbers."""
    for name in ("time", "available_time"):
        rows = rows.set_column(rows.schema.get_field_index(name), name, rows[name].cast(pa.int64()))
    return rows


def _after(row: Row, top: Row) -> str:
    """An id of its own that sorts after the id of the version whose place it takes: of two at one instant that one holds."""
    turn = 0
    while (found := content_id(row["event_id"], top["event_id"], turn)) <= top["event_id"]:
        turn += 1
    return found
