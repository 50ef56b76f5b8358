"""What a batch becomes when it is committed: rows of every kind, stamped with when they could be known.

*History* keeps the source's own answer. *Live* replaces it by the commit's instant. Several versions of one fact in one
live commit are stamped one microsecond apart, in the order in which their source reported them: otherwise nothing would
say which of them is the newest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.batch import Identity, ImageItem, Rejection, SignalPiece
from clinical_jepa.records.events import CROSSWALK, IMAGES, REJECTIONS, SIGNALS
from clinical_jepa.records.instant import SECOND
from clinical_jepa.store import changed
from clinical_jepa.store.segments import TIMED
from clinical_jepa.store.versions import turns
from clinical_jepa.vocabulary.identity import content_id

REPORTED = ("issued", "last-updated")  # bases that are a claim of the source about when it reported


def stamped(table: pa.Table, receipt: int | None) -> pa.Table:
    """The rows as known from ``receipt`` on (live), or unchanged when it is None (history)."""
    if receipt is None or not table.num_rows:
        return table
    claimed = table["available_time"].cast(pa.int64()).to_numpy()
    reported = pc.is_in(table["available_basis"], pa.array(REPORTED)).to_numpy()
    basis = np.where(reported & (claimed > receipt), "receipt-clock-fault", "receipt")
    available = receipt + _version_order(table, claimed)
    return _replaced(_replaced(table, "available_time", available), "available_basis", basis.astype(object))


def stamped_all(tables: Mapping[str, pa.Table], receipt: int | None) -> dict[str, pa.Table]:
    """Every kind of row of one commit; what was withdrawn in it keeps its source's order with that."""
    if receipt is None:
        return dict(tables)
    retractions, links = tables["retractions"], tables["links"]
    found = {kind: stamped(table, receipt) for kind, table in tables.items()}
    if retractions.num_rows:
        told, own = changed.in_turn({kind: tables[kind] for kind in TIMED}, retractions)
        for kind, (places, turn) in told.items():
            available = found[kind]["available_time"].cast(pa.int64()).to_numpy().copy()
            available[places] = receipt + turn
            found[kind] = _replaced(found[kind], "available_time", available)
        found["retractions"] = _replaced(found["retractions"], "available_time", receipt + own)
    if links.num_rows:
        found["links"] = _replaced(found["links"], "available_time", receipt + changed.link_turns(links))
    return found


def newest_stamp(tables: Sequence[pa.Table]) -> int | None:
    """The largest available time of the tables; None when all are empty."""
    numbers = [pc.max(table["available_time"].cast(pa.int64())).as_py() for table in tables if table.num_rows]
    return max(numbers, default=None)


def _version_order(table: pa.Table, claimed: np.ndarray) -> np.ndarray:
    """0 for the first reported version of its fact in this table, 1 for the next, …"""
    return turns(table, claimed) if "fact_id" in table.column_names else np.zeros(table.num_rows, np.int64)


def _replaced(table: pa.Table, column: str, values: np.ndarray) -> pa.Table:
    field = table.schema.field(column)
    return table.set_column(table.schema.get_field_index(column), field, pa.array(values).cast(field.type))


def signal_rows(pieces: Sequence[SignalPiece]) -> pa.Table:
    """SIGNALS rows of pieces, which point nowhere yet."""
    rows = [
        {
            **_shared(piece, SIGNALS),
            "end_time": piece.time + round(piece.samples.size * SECOND / piece.rate_hz),
            "samples": piece.samples.size,
            "reference": "",
        }
        for piece in pieces
    ]
    return pa.Table.from_pylist(rows, SIGNALS)


def image_rows(items: Sequence[ImageItem]) -> pa.Table:
    """IMAGES rows of pictures, which point nowhere yet."""
    rows = [
        {
            **_shared(item, IMAGES),
            "rows": item.pixels.shape[0],
            "columns": item.pixels.shape[1],
            "spacing_row_mm": item.spacing_mm[0] if item.spacing_mm else None,
            "spacing_column_mm": item.spacing_mm[1] if item.spacing_mm else None,
            "reference": "",
            "prepared": "",
        }
        for item in items
    ]
    return pa.Table.from_pylist(rows, IMAGES)


def pointing(table: pa.Table, **references: Sequence[str]) -> pa.Table:
    """The rows with these references, by column."""
    for column, values in references.items():
        field = table.schema.field(column)
        table = table.set_column(table.schema.get_field_index(column), field, pa.array(values, field.type))
    return table


def _shared(item: SignalPiece | ImageItem, schema: pa.Schema) -> dict[str, object]:
    """The fields that record and schema call alike."""
    return {
        field.name: getattr(item, field.name)
        for field in fields(item)
        if field.name in schema.names and field.name != "samples"
    }


def rejection_id(rejection: Rejection) -> str:
    """A hash of source, record, reason and original; where the file is the original, of its name."""
    original = rejection.file if rejection.original is None else rejection.original.hex()
    return content_id(rejection.source, rejection.record, rejection.reason, original)


def rejection_rows(rejections: Sequence[Rejection], received: int) -> pa.Table:
    """REJECTIONS rows, each refusal once."""
    once = {rejection_id(rejection): rejection for rejection in rejections}
    rows = [
        {
            **{name: getattr(rejection, name) for name in REJECTIONS.names[1:-1]},
            "rejection_id": name_of,
            "received_time": received,
        }
        for name_of, rejection in once.items()
    ]
    return pa.Table.from_pylist(rows, REJECTIONS)


def identity_rows(identities: Sequence[Identity]) -> pa.Table:
    """CROSSWALK rows, each identity once."""
    rows = [{name: getattr(identity, name) for name in CROSSWALK.names} for identity in dict.fromkeys(identities)]
    return pa.Table.from_pylist(rows, CROSSWALK)
