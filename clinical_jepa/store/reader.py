"""What is known of some subjects as of one commit, all of it in memory; and how it follows a store that others write to.

The subjects are *closed*: whoever was ever merged with one of them, or shares a fact with one, is among them. So an answer
about them needs no row of anybody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from clinical_jepa.records.errors import BrokenStore
from clinical_jepa.records.instant import BEGINNING, floor_minute
from clinical_jepa.records.views import Arrivals
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.chains import extended, in_order, view
from clinical_jepa.store.changes import COMMIT, NEVER, NO_CHANGES, Changes
from clinical_jepa.store.doubts import earliest, late
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.segments import SCHEMAS, TIMED, read_kind
from clinical_jepa.store.visible import Coded, View

_ATTEMPTS = 5
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Immutable, so that a reader in another thread keeps what it began with. ``subjects`` (ascending): None for all."""

    commit: int
    views: Mapping[str, View]
    changes: Changes = NO_CHANGES
    subjects: np.ndarray | None = None

    def arrivals(self, since: int, until: int, *, known_commits: int | None = None) -> Arrivals:
        """As of ``Store.arrivals``, of these subjects."""
        rewind = earliest(doubt for one in self.views.values() for doubt in one.corrected(since, until))
        late_rows = 0
        if known_commits is not None and known_commits < self.commit:
            late_rows, doubts = late(self.views, since, known_commits)
            rewind = earliest([*rewind.items(), *doubts.items()])
        return Arrivals(
            since=since,
            until=until,
            origins={subject: floor_minute(first) for subject, first in self.firsts.items() if first <= until},
            rewind=rewind,
            late_rows=late_rows,
            watermark=self.commit,
            **{kind: one.rows(since, until) for kind, one in self.views.items()},
        )

    def history(self, subject_id: int, *, as_of: int, since: int = BEGINNING) -> Arrivals:
        """One subject's rows of ``arrivals(since, as_of)``; nothing is late or rewound here."""
        first = self.firsts.get(subject_id, NEVER)
        return Arrivals(
            since=since,
            until=as_of,
            origins={subject_id: floor_minute(first)} if first <= as_of else {},
            rewind={},
            late_rows=0,
            watermark=self.commit,
            **{kind: one.rows_of(subject_id, since, as_of) for kind, one in self.views.items()},
        )

    def coded(self, prefixes: tuple[str, ...]) -> Coded:
        """The EVENTS rows whose code begins with one of ``prefixes``."""
        return self.views["events"].coded(prefixes)

    def readers(self, subjects: Iterable[int] | None = None) -> Iterator[Reader]:
        """Itself: it holds everybody whom it knows, whoever is asked for."""
        yield self

    def versions(self, as_of: int, kind: str = "events") -> pa.Table:
        """Every row of a kind that had arrived by then, also those that a later version took the place of."""
        return self.views[kind].arrived(as_of).drop_columns(["commit"])

    def extents(self, as_of: int, since: int = BEGINNING) -> dict[int, tuple[int, int]]:
        """By subject with a row seen as of then that arrived after ``since``: its first and its newest arrival."""
        found: dict[int, tuple[int, int]] = {}
        for one in self.views.values():
            for subject, (first, last, _) in one.extents(as_of).items():
                before = found.get(subject, (first, last))
                found[subject] = min(first, before[0]), max(last, before[1])
        return {subject: times for subject, times in found.items() if times[1] > since}

    @cached_property
    def firsts(self) -> dict[int, int]:
        """By subject: when its first row became available."""
        firsts: dict[int, int] = {}
        for one in self.views.values():
            for subject, first in zip(*(column.tolist() for column in one.firsts()), strict=True):
                firsts[subject] = min(first, firsts.get(subject, first))
        return firsts


def nothing(subjects: np.ndarray | None = None) -> Reader:
    """Before anything was read."""
    return Reader(commit=0, views={kind: _empty(kind) for kind in TIMED}, subjects=subjects)


@cache
def _empty(kind: str) -> View:
    return view(pa.schema([*SCHEMAS[kind], COMMIT]).empty_table())


def followed(root: Path, manifest: Manifest, known: Reader) -> Reader:
    """``known`` with the rows of later commits, up to the manifest's."""
    if known.commit >= manifest.commit:
        return known

    def later(kind: str) -> pa.Table:
        return read_kind(root, manifest, kind, after=known.commit, subjects=known.subjects)

    fresh = later_changes(root, manifest, known.commit)
    changes = known.changes.and_(fresh.retractions, fresh.links) if fresh else known.changes
    if not known.commit:
        views = {kind: view(later(kind), changes) for kind in TIMED}
    else:
        views = {kind: extended(known.views[kind], later(kind), changes, fresh) for kind in TIMED}
    return Reader(commit=manifest.commit, views=views, changes=changes, subjects=known.subjects)


def later_changes(root: Path, manifest: Manifest, after: int) -> Changes:
    """What was withdrawn and linked in later commits."""
    retractions, links = (read_kind(root, manifest, kind, after=after) for kind in ("retractions", "links"))
    return Changes(retractions=retractions, links=links)


def together(
    answers: Iterable[Arrivals], *, since: int, until: int, origins: Mapping[int, int], watermark: int
) -> Arrivals:
    """One answer of those about groups of subjects."""
    given = list(answers)
    tables = {
        kind: in_order(pa.concat_tables([SCHEMAS[kind].empty_table(), *(getattr(one, kind) for one in given)]))
        for kind in TIMED
    }
    return Arrivals(
        since=since,
        until=until,
        origins=origins,
        rewind=earliest(doubt for one in given for doubt in one.rewind.items()),
        late_rows=sum(one.late_rows for one in given),
        watermark=watermark,
        **tables,
    )


def reread(root: Path, manifest: Manifest, read: Callable[[Manifest], Result]) -> Result:
    """What ``read`` makes of the manifest; of the same commit in newer files, where a merge removed some under it."""
    for _ in range(_ATTEMPTS):
        try:
            return read(manifest)
        except FileNotFoundError as error:
            newer = replace(manifests.read(root), commit=manifest.commit)
            if newer == manifest:
                raise BrokenStore(
                    f"a segment of {root} is missing ({error.filename}); restore it from a backup"
                ) from error
            manifest = newer
    raise BrokenStore(f"{root} changed {_ATTEMPTS} times while it was read; try again")
