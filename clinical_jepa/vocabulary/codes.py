"""The code list of this system: canonical codes, their units, limits and kinds (``schemas/codes/variables.csv``).

A code id is the row's position; a code outside the list goes to its longest known prefix (``HOSPITAL_ADMISSION//IMP`` to
``HOSPITAL_ADMISSION``), else to one of ``HASH_BUCKETS`` marked ids after the list. ``code_map_hash`` is carried by every
checkpoint, so that a model never reads ids of another list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from clinical_jepa.vocabulary.tables import Row, cached, rows

HASH_BUCKETS = 8


@dataclass(frozen=True, kw_only=True)
class Code:
    """A row of the list; ``low``/``high`` are the plausibility limits in ``unit``."""

    id: int
    code: str
    name: str
    label: str
    kind: str  # vital, lab, measure, monitor, treatment, alarm, stay, static, condition
    unit: str | None
    low: float | None
    high: float | None
    parent: str | None


@cached
def codes() -> tuple[Code, ...]:
    """The whole list, in id order."""
    return tuple(_code(number, row) for number, row in enumerate(rows("variables.csv")))


def _code(number: int, row: Row) -> Code:
    return Code(
        id=number,
        code=row["code"],
        name=row["name"],
        label=row["label"],
        kind=row["kind"],
        unit=row["unit"] or None,
        low=float(row["low"]) if row["low"] else None,
        high=float(row["high"]) if row["high"] else None,
        parent=row["parent"] or None,
    )


@cached
def by_code() -> dict[str, Code]:
    """The list by code string."""
    return {code.code: code for code in codes()}


@cached
def by_name() -> dict[str, Code]:
    """The list by short name, e.g. ``map``."""
    return {code.name: code for code in codes()}


@cached
def code_id(code: str) -> int:
    """The id of a code string: listed, of its longest listed prefix, or of a hash bucket."""
    known = by_code()
    prefix = code
    while prefix:
        if prefix in known:
            return known[prefix].id
        prefix = prefix.rpartition("//")[0]
    return len(known) + int.from_bytes(hashlib.blake2b(code.encode(), digest_size=4).digest(), "big") % HASH_BUCKETS


def code_count() -> int:
    """How many ids there are, hash buckets included."""
    return len(codes()) + HASH_BUCKETS


@cached
def code_map_hash() -> str:
    """Sixteen hex characters that change whenever the ids do, or what a number or a prefix under one of them means.

    Names and labels for people may change.
    """
    return _map_hash(codes())


def _map_hash(listed: Sequence[Code]) -> str:
    meaning = [(row.code, row.kind, row.unit, row.low, row.high, row.parent) for row in listed]
    return hashlib.blake2b(repr((HASH_BUCKETS, meaning)).encode(), digest_size=8).hexdigest()
