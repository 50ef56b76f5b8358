"""MIMIC-III item ids to codes and documented units, by ``schemas/codes/mimic3.csv``.

Items outside the map (settings, alarm limits, findings as text) are counted, not kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from clinical_jepa.vocabulary.tables import Row, cached, rows


@dataclass(frozen=True, kw_only=True)
class Item:
    """One line of the map. ``unit`` is what the documentation says, ``spelled`` how rows write it, in lower case.

    ``column`` is the column that holds the number; ``specimen`` is the specimen a blood gas must come from.
    """

    code: str
    column: str
    unit: str
    spelled: frozenset[str]
    specimen: str | None


@cached
def items(table: str) -> dict[str, Item]:
    """The mapped items of a table, by item id."""
    return {row["itemid"]: _item(row) for row in rows("mimic3.csv", "itemid", "table") if row["table"] == table}


def unit_of(item: Item, stated: str | None) -> str:
    """The unit of a row: as documented where it states none or spells that; else what it states, to be checked."""
    if stated is None or stated.lower() in item.spelled:
        return item.unit
    return stated


def _item(row: Row) -> Item:
    return Item(
        code=row["code"],
        column=row["column"],
        unit=row["unit"],
        spelled=frozenset(row["spelled"].split("|")) - {""},
        specimen=row["specimen"] or None,
    )
