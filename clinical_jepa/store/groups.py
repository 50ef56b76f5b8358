"""The subjects of a store that does not fit into memory, in closed groups that are read together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.store.changes import Changes
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.owners import joined
from clinical_jepa.store.reach import Reach, reach
from clinical_jepa.store.reader import Reader, followed, later_changes, nothing, reread
from clinical_jepa.store.segments import TIMED, read_kind, read_segments

READER_ROWS = 500_000  # of a group: an eighth of a GB, twice as much while it is made


@dataclass(frozen=True)
class Groups:
    """Of one commit. What is asked about subjects is asked about the closed groups that they are of."""

    root: Path
    manifest: Manifest

    @cached_property
    def reach(self) -> Reach:
        """Of all rows of the store."""
        segments = [one for kind in TIMED for one in self.manifest.of(kind)]
        return reach(self.root, segments, self.manifest.commit)

    @cached_property
    def changes(self) -> Changes:
        """All retractions and links."""
        return later_changes(self.root, self.manifest, 0)

    @cached_property
    def kin(self) -> dict[int, frozenset[int]]:
        """By subject, of those that are not alone: whoever was ever merged with it or shares a fact with it."""
        shared = read_kind(self.root, self.manifest, "shared")
        pairs = [*zip(shared["lower"].to_pylist(), shared["higher"].to_pylist(), strict=True)]
        return joined([*pairs, *((link.absorbed, link.survivor) for link in self.changes.owners.links)])

    def closed(self, subjects: Iterable[int]) -> np.ndarray:
        """The subjects and all their kin, int64, ascending."""
        found: set[int] = set()
        for subject in subjects:
            found |= self.kin.get(subject, {subject})
        return np.array(sorted(found), np.int64)

    def rows(self, subjects: np.ndarray) -> int:
        """How many rows these subjects have."""
        return int(self.reach.rows[np.isin(self.reach.subjects, subjects)].sum())

    def of(self, subjects: Iterable[int]) -> Iterator[Reader]:
        """Readers of these subjects and their kin, each of some ``READER_ROWS`` rows, one after the other."""
        groups = list(self._grouped(self.closed(subjects)))
        return (self.read(group) for group in groups)

    def read(self, group: np.ndarray, known: Reader | None = None) -> Reader:
        """A reader of one closed group, from ``known`` (of an earlier commit) on."""
        begin = known or nothing(group)
        return reread(self.root, self.manifest, lambda manifest: followed(self.root, manifest, begin))

    def every(self) -> Iterator[Reader]:
        """Readers of all subjects."""
        return self.of(self.reach.subjects.tolist())

    def arriving(self, since: int, until: int) -> np.ndarray:
        """The subjects whom something may have come to in ``(since, until]``, and their kin."""
        links = [link.absorbed for link in self.changes.owners.links if since < link.available <= until]
        return self.closed([*self.reach.within(since, until).tolist(), *links])

    def concerned(self, since: int, until: int, after: int) -> np.ndarray:
        """The subjects of whom something may have become seen or hidden in ``(since, until]``, or by commits after ``after``."""
        at = self.changes.retractions["available_time"].cast(pa.int64()).to_numpy()
        withdrawn = (at > since) & (at <= until) | self._later(after)
        return self.closed([*self.arriving(since, until).tolist(), *self._told(after), *self._said(withdrawn)])

    def touched(self, after: int) -> np.ndarray:
        """The subjects about whom later commits said anything, and their kin."""
        return self.closed([*self._told(after), *self._said(self._later(after))])

    def _later(self, after: int) -> np.ndarray:
        """Boolean ``[N]``: the retractions of later commits."""
        return np.asarray(self.changes.retractions["commit"].to_numpy() > after)

    def _told(self, after: int) -> set[int]:
        """The subjects of whom later commits brought rows or links, or a fact of somebody else's."""
        found: set[int] = set()
        if after < self.manifest.commit:
            columns = {**dict.fromkeys(TIMED, "subject_id"), "links": "absorbed", "shared": "lower"}
            for kind, column in columns.items():
                rows = read_kind(self.root, self.manifest, kind, after=after, columns=[column])
                found |= set(rows[column].unique().to_pylist())
        return found

    def _said(self, withdrawn: np.ndarray) -> set[int]:
        """The subjects of whom the records of these retractions said something: a pass over the store, where there are any."""
        found: set[int] = set()
        if withdrawn.any():
            records = self.changes.retractions["record_id"].filter(pa.array(withdrawn)).combine_chunks()
            for kind in TIMED:
                for segment in self.manifest.of(kind):
                    rows = read_segments(
                        self.root, kind, [segment], until=self.manifest.commit, columns=["subject_id", "record_id"]
                    )
                    said = pc.is_in(rows["record_id"], value_set=records)
                    found |= set(rows["subject_id"].filter(said).unique().to_pylist())
        return found

    def _grouped(self, subjects: np.ndarray) -> Iterator[np.ndarray]:
        """Closed subjects in closed groups, in ascending order of the first of each."""
        rows = dict(zip(self.reach.subjects.tolist(), self.reach.rows.tolist(), strict=True))
        group: set[int] = set()
        size, done = 0, set[int]()
        for subject in subjects.tolist():
            if subject in done:
                continue
            mine = self.kin.get(subject, frozenset({subject}))
            done |= mine if len(mine) > 1 else set()
            group |= mine
            size += sum(rows.get(one, 0) for one in mine)
            if size >= READER_ROWS:
                yield np.array(sorted(group), np.int64)
                group, size = set(), 0
        if group:
            yield np.array(sorted(group), np.int64)
