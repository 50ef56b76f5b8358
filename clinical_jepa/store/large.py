"""Answers of a store that does not fit into memory: of whom something is asked, and nobody else, the rows are read.

A ward's ticks ask about the same few hundred people again and again: they are the *working set*, kept and followed as a store
that fits is. Whoever else is asked about is read for the question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from clinical_jepa.records.instant import BEGINNING, floor_minute
from clinical_jepa.records.views import Arrivals
from clinical_jepa.store.changes import Changes
from clinical_jepa.store.everybody import CodedRows, KinFirsts
from clinical_jepa.store.groups import Groups
from clinical_jepa.store.reader import Reader, nothing, together
from clinical_jepa.store.visible import Coded


@dataclass(kw_only=True)
class Large:
    """The answers of one commit, and what is kept for those of the next. Not for several threads at once.

    ``held_rows``: as many rows as the working set may have.
    """

    groups: Groups
    held_rows: int
    working: Reader = field(default_factory=lambda: nothing(np.zeros(0, np.int64)))
    last: Reader | None = None  # of whom one history was asked
    coded_rows: dict[tuple[str, ...], CodedRows] = field(default_factory=dict)  # by prefixes
    kin_firsts: KinFirsts = field(default_factory=KinFirsts)

    def at(self, groups: Groups) -> Large:
        """The answers of a later commit."""
        return replace(self, groups=groups, last=None)

    @property
    def changes(self) -> Changes:
        """All retractions and links."""
        return self.groups.changes

    def arrivals(self, since: int, until: int, *, known_commits: int | None = None) -> Arrivals:
        """As of ``Store.arrivals``."""
        commit = self.groups.manifest.commit
        subjects = self.groups.concerned(since, until, commit if known_commits is None else known_commits)
        return together(
            (one.arrivals(since, until, known_commits=known_commits) for one in self._about(subjects)),
            since=since,
            until=until,
            origins={subject: floor_minute(first) for subject, first in self._firsts.items() if first <= until},
            watermark=commit,
        )

    def history(self, subject_id: int, *, as_of: int, since: int = BEGINNING) -> Arrivals:
        """As of ``Store.history``."""
        mine = self.groups.closed([subject_id])
        if _holds(self.working, mine):
            reader = self._work(self.working)
        elif self.last is not None and _holds(self.last, mine):
            reader = self.last
        else:
            reader = self.last = self.groups.read(mine)
        return reader.history(subject_id, as_of=as_of, since=since)

    def extents(self, as_of: int, since: int = BEGINNING) -> dict[int, tuple[int, int]]:
        """As of ``Store.extents``."""
        found: dict[int, tuple[int, int]] = {}
        for one in self._about(self.groups.arriving(since, as_of)):
            found |= one.extents(as_of, since)
        return found

    def coded(self, prefixes: tuple[str, ...]) -> Coded:
        """As of ``Reader.coded``."""
        known = self.coded_rows.get(prefixes, CodedRows())
        self.coded_rows[prefixes] = known.followed(self.groups, prefixes)
        return self.coded_rows[prefixes].coded

    def readers(self, subjects: Iterable[int] | None = None) -> Iterator[Reader]:
        """Readers of these subjects (None: of everybody), one after the other."""
        return self.groups.every() if subjects is None else self.groups.of(subjects)

    def _about(self, subjects: np.ndarray) -> Iterator[Reader]:
        """Readers of these closed subjects (of others besides): the working set, where they are or may become of it."""
        if _holds(self.working, subjects) and _holds(self.working, self.groups.closed(_of(self.working).tolist())):
            yield self._work(self.working)
            return
        both = self.groups.closed([*subjects.tolist(), *_of(self.working).tolist()])
        for wanted in (both, subjects):
            if self.groups.rows(wanted) <= self.held_rows:
                yield self._work(nothing(wanted))
                return
        yield from self.groups.of(subjects.tolist())

    def _work(self, known: Reader) -> Reader:
        """The working set: ``known`` followed to this commit."""
        self.working = self.groups.read(_of(known), known)
        return self.working

    @cached_property
    def _firsts(self) -> dict[int, int]:
        """By subject: when its first row became available."""
        reach, kin = self.groups.reach, self.groups.kin
        self.kin_firsts = self.kin_firsts.followed(self.groups)
        alone = zip(reach.subjects.tolist(), reach.first.tolist(), strict=True)
        return {subject: first for subject, first in alone if subject not in kin} | self.kin_firsts.instants


def _of(reader: Reader) -> np.ndarray:
    """Whom a reader of a group holds."""
    return np.zeros(0, np.int64) if reader.subjects is None else reader.subjects


def _holds(reader: Reader, subjects: np.ndarray) -> bool:
    return bool(np.isin(subjects, _of(reader)).all())
