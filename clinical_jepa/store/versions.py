"""Which rows are versions of which fact, and which of them takes the place of which.

A row is a version of its fact. Of a recorded waveform a version is several rows, its pieces (one ``version_id``): it begins with
the first of them that can be known, its *lead*, and ends whole when the next version of the fact begins.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa


def facts(table: pa.Table) -> pl.Series:
    """By row the fact that it speaks of; a row without one is a fact of its own."""
    return _own(table, "fact_id")


def versions(table: pa.Table) -> pl.Series:
    """By row the version of its fact that it belongs to; a row without one is a version of its own."""
    return _own(table, "version_id")


def several(table: pa.Table) -> bool:
    """Whether versions of several rows are possible in this table."""
    return "version_id" in table.column_names and table["version_id"].null_count < table.num_rows


def begun(table: pa.Table, instants: np.ndarray) -> np.ndarray:
    """By row the earliest of the instants ``[N]`` of its version's rows."""
    if not several(table):
        return instants
    frame = pl.DataFrame({"fact": facts(table), "version": versions(table), "at": instants})
    return frame.select(pl.col("at").min().over("fact", "version"))["at"].to_numpy()


def turns(table: pa.Table, instants: np.ndarray) -> np.ndarray:
    """By row: 0 for the version of its fact with the earliest instant, 1 for the next, …; of equal ones as the rows stand."""
    frame = pl.DataFrame({"fact": facts(table), "at": instants})
    if not several(table):
        return frame.select(pl.col("at").rank("ordinal").over("fact").cast(pl.Int64) - 1)["at"].to_numpy()
    frame = frame.with_columns(versions(table), place=pl.int_range(pl.len()))
    first = pl.struct(pl.col("at", "place").min().over("fact", "version_id"))
    return frame.select(at=first.rank("dense").over("fact").cast(pl.Int64) - 1)["at"].to_numpy()


def shared(known: pa.Table, new: pa.Table) -> bool:
    """Whether a version has rows in both tables."""
    if not (several(known) and several(new)):
        return False
    here, there = (
        pl.Series(pl.from_arrow(table["version_id"]), dtype=pl.String).drop_nulls() for table in (known, new)
    )
    return bool(here.is_in(there.unique().implode()).any())


def follow(
    table: pa.Table, available: np.ndarray, places: np.ndarray, hidden_from: np.ndarray, previous: np.ndarray
) -> None:
    """Writes into the last two, for the rows at ``places`` (all versions of some facts), what follows what.

    A row may stand in several places, each later one taking the place of the one before it.
    """
    rows = table.select([name for name in ("event_id", "fact_id", "version_id") if name in table.column_names])
    rows = rows.take(pa.array(places))
    frame = pl.DataFrame({"fact": facts(rows), "version": versions(rows), "id": _column(rows, "event_id")})
    frame = frame.with_columns(available=available[places], place=places).sort("fact", "available", "id")
    if not several(rows):
        return _link(frame, "fact", hidden_from, previous)
    frame = frame.with_columns(lead=pl.col("id") == pl.col("id").first().over("fact", "version"))
    leads, others = frame.filter("lead"), frame.filter(~pl.col("lead"))
    _link(leads, "fact", hidden_from, previous)
    _link(others.sort("id", "available"), "id", hidden_from, previous)
    leads = leads.with_columns(end=hidden_from[leads["place"].to_numpy()])
    others = others.join(leads.group_by("fact", "version").agg(pl.col("end").max()), on=["fact", "version"])
    np.minimum.at(hidden_from, others["place"].to_numpy(), others["end"].to_numpy())


def _link(ordered: pl.DataFrame, key: str, hidden_from: np.ndarray, previous: np.ndarray) -> None:
    """Each row takes the place of the one before it that has the same key."""
    same = (ordered[key] == ordered[key].shift(-1)).fill_null(False).to_numpy()[:-1]
    places = ordered["place"].to_numpy()
    older, newer = places[:-1][same], places[1:][same]
    hidden_from[older] = ordered["available"].to_numpy()[1:][same]
    previous[newer] = older


def _own(table: pa.Table, name: str) -> pl.Series:
    own = _column(table, "event_id")
    if name not in table.column_names:
        return own
    said = _column(table, name)
    return said if said.null_count() == 0 else said.zip_with(said.is_not_null(), own)


def _column(table: pa.Table, name: str) -> pl.Series:
    return pl.Series(name, pl.from_arrow(table[name]), dtype=pl.String)
