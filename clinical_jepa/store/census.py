"""Counts over what a store holds: subjects, feeds, bases of availability."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.events import INSTANT
from clinical_jepa.store.crosswalk import Crosswalk
from clinical_jepa.store.visible import View

_SUBJECTS = pa.schema(
    [
        ("subject_id", pa.int64()),
        ("identifier", pa.string()),
        ("namespace", pa.string()),
        ("events", pa.int64()),
        ("signals", pa.int64()),
        ("images", pa.int64()),
        ("first", INSTANT),
        ("last", INSTANT),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One source: when its newest row became available, and how many rows came."""

    source: str
    newest_available: int
    rows: int


def extents(views: Mapping[str, View], as_of: int) -> dict[int, tuple[int, int]]:
    """By subject: when the first and the newest row seen as of then became available."""
    found: dict[int, tuple[int, int]] = {}
    for view in views.values():
        for subject, (first, last, _) in view.extents(as_of).items():
            before = found.get(subject, (first, last))
            found[subject] = min(first, before[0]), max(last, before[1])
    return found


def subjects(views: Mapping[str, View], people: Crosswalk, as_of: int) -> pa.Table:
    """A row per subject seen as of then, by subject id."""
    counted = {kind: view.extents(as_of) for kind, view in views.items()}
    rows = []
    for subject, (first, last) in sorted(extents(views, as_of).items()):
        who = people.identity(subject)
        name = (who.identifier, who.namespace) if who else (None, None)
        counts = [
            counted[kind][subject][2] if subject in counted[kind] else 0 for kind in ("events", "signals", "images")
        ]
        rows.append((subject, *name, *counts, first, last))
    return pa.Table.from_pylist([dict(zip(_SUBJECTS.names, row, strict=True)) for row in rows], _SUBJECTS)


def feeds(views: Mapping[str, View], as_of: int) -> list[Feed]:
    """Every source with a row available by then, by name; versions that were replaced count too."""
    newest: dict[str, Feed] = {}
    for view in views.values():
        for source, (instant, rows) in _sources(view.arrived(as_of)).items():
            before = newest.get(source, Feed(source=source, newest_available=instant, rows=0))
            at = max(instant, before.newest_available)
            newest[source] = Feed(source=source, newest_available=at, rows=before.rows + rows)
    return [newest[name] for name in sorted(newest)]


def bases(views: Mapping[str, View], as_of: int) -> dict[str, int]:
    """How many rows available by then rest on each basis of availability; versions that were replaced count too."""
    counts: dict[str, int] = {}
    for view in views.values():
        for row in pc.value_counts(view.arrived(as_of)["available_basis"]).to_pylist():
            counts[row["values"]] = counts.get(row["values"], 0) + row["counts"]
    return counts


def _sources(table: pa.Table) -> dict[str, tuple[int, int]]:
    """By source: (newest available time, rows)."""
    plain = pa.table({"source": table["source"], "at": table["available_time"].cast(pa.int64())})
    rows = plain.group_by("source").aggregate([("at", "max"), ("at", "count")]).to_pylist()
    return {row["source"]: (row["at_max"], row["at_count"]) for row in rows}
