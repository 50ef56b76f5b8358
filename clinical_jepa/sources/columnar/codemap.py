"""The code maps of ``schemas/codes``: what each item of a data set is here, in which unit, and who says so.

A line maps one item of one table. ``item`` is an item id, a label or a column's name, as the data set has it; ``*`` stands
for every line of the table (``*#end`` for a second fact of it), and then ``code`` and ``column`` are patterns of column
names in braces. Items outside the map are counted, not kept.

``unit_from`` says who states the unit: ``row`` (the row; ``spelled`` is how it writes it, and where it states none the
documentation stands in), ``documentation`` (nobody else), ``disputed`` (documentation and values disagree: kept under the
data set's own code with the documented unit, never converted). ``low`` and ``high`` narrow the limits of the code list,
``absent`` are numbers that mean "unknown".
"""

from __future__ import annotations

from typing import Any

import polars as pl

from clinical_jepa.vocabulary.tables import Row, cached, rows

_SCHEMA: dict[str, Any] = {
    "item": pl.String,
    "code": pl.String,
    "column": pl.String,
    "unit": pl.String,
    "spelled": pl.List(pl.String),
    "specimen": pl.String,
    "low": pl.Float64,
    "high": pl.Float64,
    "absent": pl.List(pl.Float64),
    "kind": pl.String,
}


@cached
def code_map(data_set: str) -> tuple[Row, ...]:
    """Every line of a data set's map as it stands, the site's over the shipped ones."""
    return tuple(rows(f"{data_set}.csv"))


@cached
def items(data_set: str, table: str) -> pl.DataFrame:
    """The mapped items of a table, ``spelled`` in lower case."""
    found = [_row(line) for line in code_map(data_set) if line["table"] == table]
    return pl.DataFrame(found, schema=_SCHEMA, orient="row")


def _row(line: Row) -> dict[str, object]:
    return {
        "item": line["item"],
        "code": line["code"],
        "column": line["column"] or None,
        "unit": line["unit"] or None,
        "spelled": [one.lower() for one in line["spelled"].split("|") if one],
        "specimen": line["specimen"] or None,
        "low": float(line["low"]) if line["low"] else None,
        "high": float(line["high"]) if line["high"] else None,
        "absent": [float(one) for one in line["absent"].split("|") if one],
        "kind": line["kind"] or None,
    }
