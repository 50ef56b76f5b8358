"""Retractions and links as rows, and the order in which they act among the rows of one live commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.batch import Retraction, SourceBatch, SubjectLink
from clinical_jepa.records.events import LINKS, RETRACTIONS
from clinical_jepa.store.versions import begun, several, turns
from clinical_jepa.vocabulary.identity import content_id


def new_rows(
    batches: Sequence[SourceBatch], unheard: Callable[[str, pa.ChunkedArray], Sequence[bool]]
) -> dict[str, pa.Table]:
    """RETRACTIONS and LINKS rows whose ids are ``unheard`` of, by kind."""
    tables = {
        "retractions": _rows([one for batch in batches for one in batch.retractions], RETRACTIONS),
        "links": _rows([one for batch in batches for one in batch.links], LINKS),
    }
    return {
        kind: table.filter(pa.array(unheard(kind, table["change_id"]), pa.bool_())) for kind, table in tables.items()
    }


def _rows(changes: Sequence[Retraction] | Sequence[SubjectLink], schema: pa.Schema) -> pa.Table:
    rows = []
    for one in changes:
        said = {field.name: getattr(one, field.name) for field in fields(one)}
        rows.append({"change_id": content_id(*said.values()), **said})
    return pa.Table.from_pylist(rows, schema)


def in_turn(
    tables: Mapping[str, pa.Table], retractions: pa.Table
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """``({kind: (places, turns)}, turns of retractions)``: in one commit, who acts after whom in the words of their source.

    ``places`` are the rows of records that are withdrawn in this commit, and other versions of their facts. A record that
    was withdrawn and said again at one instant is said again after it. Pieces of one version have one turn.
    """
    withdrawn = retractions["available_time"].cast(pa.int64()).to_numpy()
    claims = [pl.DataFrame({"claim": withdrawn, "order": np.full(withdrawn.size, -1)})]
    places = {kind: _concerned(table, retractions) for kind, table in tables.items()}
    for kind, table in tables.items():
        at = np.asarray(table["available_time"].cast(pa.int64()).to_numpy())
        order = turns(table, at) if several(table) else np.arange(at.size)
        claims.append(pl.DataFrame({"claim": begun(table, at)[places[kind]], "order": order[places[kind]]}))
    ranks = (
        pl.concat(claims).select(turn=pl.struct("claim", "order").rank("dense").cast(pl.Int64) - 1)["turn"].to_numpy()
    )
    turn = np.split(ranks, np.cumsum([one.height for one in claims])[:-1])
    return {kind: (places[kind], mine) for kind, mine in zip(tables, turn[1:], strict=True)}, turn[0]


def _concerned(table: pa.Table, retractions: pa.Table) -> np.ndarray:
    """Places of the rows of withdrawn records, and of other versions of their facts."""
    withdrawn = pc.is_in(table["record_id"], value_set=retractions["record_id"].combine_chunks())
    facts = pc.drop_null(pc.unique(table["fact_id"].filter(withdrawn)))
    return np.flatnonzero(pc.or_(withdrawn, pc.is_in(table["fact_id"], value_set=facts)).to_numpy())


def link_turns(links: pa.Table) -> np.ndarray:
    """0 for the first link in the words of its source, 1 for the next, …"""
    frame = pl.DataFrame({name: pl.from_arrow(links[name].cast(pa.int64())) for name in ("available_time", "time")})
    order = frame.with_row_index("place").sort("available_time", "time", "place")["place"].to_numpy()
    turns = np.empty(order.size, np.int64)
    turns[order] = np.arange(order.size)
    return turns
