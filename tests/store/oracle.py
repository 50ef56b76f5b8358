"""What the store must answer, row by row, from the words of the law alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.store.builders import Row

RETRACTED = ("cancelled", "entered-in-error")


def version(row: Row) -> tuple[int, str]:
    return row.available, row.event_id


def seen(rows: Iterable[Row], as_of: int) -> list[Row]:
    """The newest version of each fact among those available by then, unless it says that the fact does not hold."""
    newest: dict[str, Row] = {}
    for row in rows:
        if row.available <= as_of and (row.fact_id not in newest or version(row) > version(newest[row.fact_id])):
            newest[row.fact_id] = row
    held = [row for row in newest.values() if row.status not in RETRACTED]
    return sorted(held, key=lambda r: (r.available, r.available if r.time is None else r.time, r.event_id))


def arrivals(rows: Iterable[Row], since: int, until: int) -> list[str]:
    return [row.event_id for row in seen(rows, until) if row.available > since]


def rewind(rows: Sequence[Row], since: int, until: int, late: frozenset[str] = frozenset()) -> dict[int, int]:
    """Earliest doubted instant by subject: versions that were replaced by another, late rows and what they follow."""
    doubted: list[Row] = []
    for row in rows:
        versions = sorted((other for other in rows if other.fact_id == row.fact_id), key=version)
        if since < row.available <= until:
            before = [other for other in versions if other.available <= since]
            doubted += [other for other in before[-1:] if other.status not in RETRACTED]
        if row.event_id in late and row.available <= since:
            place = versions.index(row)
            doubted += versions[max(0, place - 1) : place + 1]
    found: dict[int, int] = {}
    for row in doubted:
        found[row.subject] = min(row.available, found.get(row.subject, row.available))
    return found


def origins(rows: Iterable[Row], until: int) -> dict[int, int]:
    first: dict[int, int] = {}
    for row in rows:
        if row.available <= until:
            first[row.subject] = min(row.available, first.get(row.subject, row.available))
    return {subject: instant - instant % 60_000_000 for subject, instant in first.items()}
