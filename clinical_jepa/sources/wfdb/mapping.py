"""Which channel or code a WFDB signal name stands for (``schemas/codes/wfdb.csv``), and what its units are.

Signal names are the monitor's own, matched without regard to case, spaces and underlines. Among several signals for one target
the lowest ``rank`` that carries a value wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from clinical_jepa.vocabulary.tables import Row, cached, rows
from clinical_jepa.vocabulary.units import ucum_of

Kind = Literal["signal", "numeric"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a signal name stands for. ``unit`` None: any unit is taken as it is (its scale is arbitrary)."""

    name: str  # "" where the table has no row
    target: str  # a channel (ECG) or a code (MDC//147842)
    unit: str | None
    rank: int
    low: float  # physical limits of a usable sample, in ``unit``
    high: float
    zero_is_missing: bool  # this monitor writes 0 where it has no value


@cached
def _table() -> dict[tuple[str, str], Target]:
    return {(row["kind"], row["name"]): _target(row) for row in rows("wfdb.csv")}


def _target(row: Row) -> Target:
    return Target(
        name=row["name"],
        target=row["target"],
        unit=row["unit"] or None,
        rank=int(row["rank"]),
        low=float(row["low"] or "-inf"),
        high=float(row["high"] or "inf"),
        zero_is_missing=row["zero_is_missing"] == "1",
    )


def target(kind: Kind, name: str) -> Target | None:
    """What the signal ``name`` of a waveform or numerics record stands for, or None where the table is silent."""
    return _table().get((kind, re.sub(r"[\s_]+", "", name).upper()))


def waveform(name: str) -> Target | None:
    """What a waveform is kept as: its row, else ``SIGNAL//<name>`` as it is; None where it has no name to be known by."""
    known = target("signal", name)
    clean = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    if known is not None or not clean:
        return known
    return Target(
        name="",
        target=f"SIGNAL//{clean}",
        unit=None,
        rank=0,
        low=float("-inf"),
        high=float("inf"),
        zero_is_missing=False,
    )


def ucum(unit: str | None) -> str | None:
    """The UCUM spelling of a WFDB unit; what is in no table is passed on unchanged."""
    return None if unit is None else ucum_of(unit, "WFDB") or unit
