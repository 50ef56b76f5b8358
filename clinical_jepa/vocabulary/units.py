"""Conversion to a code's canonical UCUM unit, by a committed table: what is not in it is not guessed.

Mass to amount (mg/dL to mmol/L) needs the substance and has no row; such values are refused by the caller.
"""

from __future__ import annotations

import csv
from functools import cache

from clinical_jepa.vocabulary.tables import schemas


@cache
def _table() -> dict[tuple[str, str], tuple[float, float]]:
    with (schemas() / "codes" / "units.csv").open(encoding="utf-8", newline="") as file:
        return {(row["from"], row["to"]): (float(row["factor"]), float(row["offset"])) for row in csv.DictReader(file)}


def conversion(unit: str, canonical: str) -> tuple[float, float] | None:
    """``(factor, offset)`` with ``canonical = value * factor + offset``, or None where it is not certain."""
    if unit == canonical:
        return 1.0, 0.0
    return _table().get((unit, canonical))
