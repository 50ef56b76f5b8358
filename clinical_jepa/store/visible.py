"""Rows in order of arrival, and which version of each fact is the newest as of any instant.

Built once per set of commits (``chains``); after that a question costs two binary searches and the rows between them. The
whole rule of visibility is one number per row, ``hidden_from``: a row is seen as of T when ``available <= T < hidden_from``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.store.changes import NEVER, Changes
from clinical_jepa.store.moving import Moved

ALWAYS_HIDDEN = np.iinfo(np.int64).min


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Rows that ended when their record was withdrawn, by instant; the three are parallel."""

    places: np.ndarray  # int64
    instants: np.ndarray  # int64 µs, ascending
    commits: np.ndarray  # int64: of the withdrawal

    @staticmethod
    def of(places: np.ndarray, instants: np.ndarray, commits: np.ndarray) -> Ended:
        """The same, put in order."""
        order = np.lexsort((places, instants))
        return Ended(places=places[order], instants=instants[order], commits=commits[order])

    def parted(self, instant: int) -> tuple[Ended, Ended]:
        """(those up to an instant, those after it)."""
        cut = int(np.searchsorted(self.instants, instant, "right"))
        return self._slice(slice(0, cut)), self._slice(slice(cut, None))

    def between(self, since: int, until: int) -> Ended:
        """Those with ``since < instant <= until``."""
        return self.parted(since)[1].parted(until)[0]

    def and_(self, others: Ended) -> Ended:
        """Both."""
        mine, theirs = (self.places, self.instants, self.commits), (others.places, others.instants, others.commits)
        return Ended.of(*(np.concatenate(both) for both in zip(mine, theirs, strict=True)))

    def shifted(self, by: int) -> Ended:
        """The same, when their rows lie ``by`` places further."""
        return Ended(places=self.places + by, instants=self.instants, commits=self.commits)

    def _slice(self, span: slice) -> Ended:
        return Ended(places=self.places[span], instants=self.instants[span], commits=self.commits[span])


@dataclass(frozen=True, kw_only=True)
class Coded:
    """Rows of a few codes in order of arrival; the arrays are parallel to ``table``."""

    table: pa.Table
    available: np.ndarray  # int64 µs
    hidden_from: np.ndarray  # int64 µs

    def seen(self, until: int) -> pa.Table:
        """Those seen as of ``until``."""
        return self.table.filter(pa.array((self.available <= until) & (self.hidden_from > until)))


@dataclass(frozen=True, kw_only=True)
class View:
    """Rows sorted by (available, time, event_id); every array is ``[N]`` and parallel to ``table``."""

    table: pa.Table  # a kind's schema and ``commit``
    available: np.ndarray  # int64 µs
    hidden_from: np.ndarray  # int64 µs: when another takes its place or its record is withdrawn; ALWAYS_HIDDEN
    previous: np.ndarray  # int64: place of the version before it, -1 where there is none
    ended: Ended  # by withdrawal, not by a version
    commit: np.ndarray  # int64
    subject: np.ndarray  # int64
    origin: np.ndarray | None  # int64: the subject it was stored under; None where none was moved
    again: np.ndarray | None  # bool: said again by a move
    by_subject: np.ndarray  # int64: places grouped by subject, in order of arrival within each
    subjects: np.ndarray  # int64 [S], ascending
    starts: np.ndarray  # int64 [S + 1]: where each subject's group begins in ``by_subject``
    changes: Changes  # that it was made with
    coded_rows: dict[tuple[str, ...], Coded] = field(default_factory=dict)  # a cache

    def rows(self, since: int, until: int) -> pa.Table:
        """The rows with ``since < available <= until`` that are seen as of ``until``."""
        low, high = self._span(since, until)
        table = self.table.slice(low, high - low)
        seen = self.hidden_from[low:high] > until
        return (table if seen.all() else table.filter(pa.array(seen))).drop_columns(["commit"])

    def rows_of(self, subject_id: int, since: int, until: int) -> pa.Table:
        """The same for one subject."""
        places = self._places(subject_id)
        available = self.available[places]
        places = places[np.searchsorted(available, since, "right") : np.searchsorted(available, until, "right")]
        return _picked(self.table, places[self.hidden_from[places] > until]).drop_columns(["commit"])

    def arrived(self, until: int) -> pa.Table:
        """Every row with ``available <= until``, seen or not."""
        return self.table.slice(0, self._span(ALWAYS_HIDDEN, until)[1])

    def coded(self, prefixes: tuple[str, ...]) -> Coded:
        """The rows whose code begins with one of ``prefixes``; looked for once: a ward asks for the same few at every tick."""
        if prefixes not in self.coded_rows:
            codes = self.table["code"].combine_chunks().dictionary_encode()
            wanted = np.array([code.startswith(prefixes) for code in codes.dictionary.to_pylist()], bool)
            places = np.flatnonzero(wanted[codes.indices.to_numpy()])
            self.coded_rows[prefixes] = Coded(
                table=_picked(self.table, places).drop_columns(["commit"]),
                available=self.available[places],
                hidden_from=self.hidden_from[places],
            )
        return self.coded_rows[prefixes]

    def corrected(self, since: int, until: int) -> Iterator[tuple[int, int]]:
        """(subject, available time) of rows seen as of ``since`` that a version of ``(since, until]`` took the place of.

        Whatever its status says: a preliminary value that became final is seen no more, so a memory must not hold it.
        """
        low, high = self._span(since, until)
        for place in low + np.flatnonzero(self.previous[low:high] >= 0):
            earlier = self.previous[place]
            while earlier >= 0 and self.available[earlier] > since:
                earlier = self.previous[earlier]
            if earlier >= 0 and self.hidden_from[earlier] > since:
                yield int(self.subject[earlier]), int(self.available[earlier])
        for place in self.ended.between(since, until).places:
            if self.available[place] <= since:
                yield int(self.subject[place]), int(self.available[place])

    def late(self, since: int, known_commits: int) -> np.ndarray:
        """Places of rows of later commits that were available by ``since``."""
        low = int(np.searchsorted(self.available, since, "right"))
        return np.flatnonzero(self.commit[:low] > known_commits)

    def late_withdrawals(self, since: int, known_commits: int) -> np.ndarray:
        """Places of rows that withdrawals of later commits ended by ``since``."""
        early, _ = self.ended.parted(since)
        return early.places[early.commits > known_commits]

    def doubted(self, late: np.ndarray) -> Iterator[tuple[int, int]]:
        """(subject, earliest available time) of late rows, and of the versions that they follow or may have put in order."""
        earlier = self.previous[late]
        places = np.concatenate([late, earlier[earlier >= 0], self._pieces_of_facts(late)])
        subjects, group = np.unique(self.subject[places], return_inverse=True)
        earliest = np.full(subjects.size, NEVER)
        np.minimum.at(earliest, group, self.available[places])
        yield from zip(subjects.tolist(), earliest.tolist(), strict=True)

    def _pieces_of_facts(self, late: np.ndarray) -> np.ndarray:
        """Places of all pieces of the late ones' waveforms: a piece that comes late may move the beginning of its version."""
        if "version_id" not in self.table.column_names or not late.size:
            return late[:0]
        facts = self.table["fact_id"].take(pa.array(late)).combine_chunks().drop_null()
        return np.flatnonzero(pc.is_in(self.table["fact_id"], value_set=facts).to_numpy())

    def first_of_all(self, subjects: frozenset[int]) -> int:
        """When the first row of any of these subjects became available, wherever it was moved; NEVER without any."""
        owned = self.subject if self.origin is None else self.origin
        mine = np.flatnonzero(np.isin(owned, np.array(list(subjects), np.int64)))
        return int(self.available[mine[0]]) if mine.size else NEVER

    def rows_as_kept(self) -> Moved:
        """The rows with what is known of their moves."""
        return Moved(table=self.table, origin=self.origin, again=self.again)

    def firsts(self) -> tuple[np.ndarray, np.ndarray]:
        """(subjects, when each one's first row became available), both int64."""
        return self.subjects, self.available[self.by_subject[self.starts[:-1]]]

    def extents(self, until: int) -> dict[int, tuple[int, int, int]]:
        """By subject: (first arrival, last arrival, rows seen), of those with a row seen as of ``until``."""
        seen = (self.available <= until) & (self.hidden_from > until)
        ordered = self.by_subject[seen[self.by_subject]]
        subjects, begin, counts = np.unique(self.subject[ordered], return_index=True, return_counts=True)
        first, last = self.available[ordered[begin]], self.available[ordered[begin + counts - 1]]
        numbers = zip(first.tolist(), last.tolist(), counts.tolist(), strict=True)
        return dict(zip(subjects.tolist(), numbers, strict=True))

    def _span(self, since: int, until: int) -> tuple[int, int]:
        low = int(np.searchsorted(self.available, since, "right"))
        return low, max(low, int(np.searchsorted(self.available, until, "right")))

    def _places(self, subject_id: int) -> np.ndarray:
        place = int(np.searchsorted(self.subjects, subject_id))
        if place == self.subjects.size or self.subjects[place] != subject_id:
            return self.by_subject[:0]
        return self.by_subject[self.starts[place] : self.starts[place + 1]]


def _picked(table: pa.Table, places: np.ndarray) -> pa.Table:
    """The rows at ascending places, piece by piece: ``take`` on a table of several pieces joins them all first."""
    pieces = table.to_batches()
    ends = np.cumsum([piece.num_rows for piece in pieces], dtype=np.int64)
    cuts = np.searchsorted(places, ends)
    taken = [
        piece.take(pa.array(places[first:last] - (end - piece.num_rows)))
        for piece, end, first, last in zip(pieces, ends, np.append(0, cuts)[:-1], cuts, strict=True)
        if last > first
    ]
    return pa.Table.from_batches(taken, table.schema)
