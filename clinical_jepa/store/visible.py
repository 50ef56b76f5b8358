"""Rows in order of arrival, and which version of each fact is the newest as of any instant.

Built once per set of commits; after that a question costs two binary searches and the rows between them. The whole rule
of visibility is one number per row, ``hidden_from``: a row is seen as of T when ``available <= T < hidden_from``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.events import RETRACTED

NEVER = np.iinfo(np.int64).max
ALWAYS_HIDDEN = np.iinfo(np.int64).min


@dataclass(frozen=True, kw_only=True)
class View:
    """Rows sorted by (available, time, event_id); every array is ``[N]`` and parallel to ``table``."""

    table: pa.Table  # a kind's schema and ``commit``
    available: np.ndarray  # int64 µs
    hidden_from: np.ndarray  # int64 µs: when a newer version takes its place; ALWAYS_HIDDEN for a retraction
    previous: np.ndarray  # int64: place of the version before it, -1 where there is none
    commit: np.ndarray  # int64
    subject: np.ndarray  # int64
    by_subject: np.ndarray  # int64: places grouped by subject, in order of arrival within each
    subjects: np.ndarray  # int64 [S], ascending
    starts: np.ndarray  # int64 [S + 1]: where each subject's group begins in ``by_subject``
    coded_places: dict[tuple[str, ...], np.ndarray] = field(default_factory=dict)  # a cache

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
        return self.table.take(places[self.hidden_from[places] > until]).drop_columns(["commit"])

    def arrived(self, until: int) -> pa.Table:
        """Every row with ``available <= until``, seen or not."""
        return self.table.slice(0, self._span(ALWAYS_HIDDEN, until)[1])

    def coded(self, prefixes: tuple[str, ...], until: int) -> pa.Table:
        """The rows seen as of ``until`` whose code begins with one of ``prefixes``."""
        places = self._coded(prefixes)
        places = places[: np.searchsorted(self.available[places], until, "right")]
        return self.table.take(places[self.hidden_from[places] > until]).drop_columns(["commit"])

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

    def late(self, since: int, known_commits: int) -> np.ndarray:
        """Places of rows of later commits that were available by ``since``."""
        low = int(np.searchsorted(self.available, since, "right"))
        return np.flatnonzero(self.commit[:low] > known_commits)

    def doubted(self, late: np.ndarray) -> Iterator[tuple[int, int]]:
        """(subject, earliest available time) of late rows, and of the versions that they follow."""
        earlier = self.previous[late]
        places = np.concatenate([late, earlier[earlier >= 0]])
        subjects, group = np.unique(self.subject[places], return_inverse=True)
        earliest = np.full(subjects.size, NEVER)
        np.minimum.at(earliest, group, self.available[places])
        yield from zip(subjects.tolist(), earliest.tolist(), strict=True)

    def firsts(self, until: int) -> tuple[np.ndarray, np.ndarray]:
        """(subjects, when each one's first row became available), of those that arrived by ``until``."""
        first = self.available[self.by_subject[self.starts[:-1]]]
        here = first <= until
        return self.subjects[here], first[here]

    def first_of(self, subject_id: int) -> int:
        """When a subject's first row became available; NEVER where it has none."""
        places = self._places(subject_id)
        return int(self.available[places[0]]) if places.size else NEVER

    def extents(self, until: int) -> dict[int, tuple[int, int, int]]:
        """By subject: (first arrival, last arrival, rows seen), of those with a row seen as of ``until``."""
        seen = (self.available <= until) & (self.hidden_from > until)
        ordered = self.by_subject[seen[self.by_subject]]
        subjects, begin, counts = np.unique(self.subject[ordered], return_index=True, return_counts=True)
        first, last = self.available[ordered[begin]], self.available[ordered[begin + counts - 1]]
        numbers = zip(first.tolist(), last.tolist(), counts.tolist(), strict=True)
        return dict(zip(subjects.tolist(), numbers, strict=True))

    def _coded(self, prefixes: tuple[str, ...]) -> np.ndarray:
        """Places by prefix, looked for once: a ward asks for the same few at every tick."""
        if prefixes not in self.coded_places:
            codes = self.table["code"].combine_chunks().dictionary_encode()
            wanted = np.array([code.startswith(prefixes) for code in codes.dictionary.to_pylist()], bool)
            self.coded_places[prefixes] = np.flatnonzero(wanted[codes.indices.to_numpy()])
        return self.coded_places[prefixes]

    def _span(self, since: int, until: int) -> tuple[int, int]:
        low = int(np.searchsorted(self.available, since, "right"))
        return low, max(low, int(np.searchsorted(self.available, until, "right")))

    def _places(self, subject_id: int) -> np.ndarray:
        place = int(np.searchsorted(self.subjects, subject_id))
        if place == self.subjects.size or self.subjects[place] != subject_id:
            return self.by_subject[:0]
        return self.by_subject[self.starts[place] : self.starts[place + 1]]


def view(table: pa.Table, *, by: str = "available_time") -> View:
    """A view of rows with their ``commit``. ``by="time"`` takes each row as known when it was true: a planted fault."""
    keys = pl.DataFrame(
        {
            "available": pl.from_arrow(_instants(table, by)),
            "time": pl.from_arrow(_instants(table, "time")),
            "event_id": pl.from_arrow(table["event_id"]),
        }
    )
    order = keys.with_row_index("place").sort("available", "time", "event_id")["place"].to_numpy().astype(np.int64)
    table = table.take(order).combine_chunks()
    available = keys["available"].to_numpy()[order]
    hidden_from, previous = _versions(table, available)
    subject = table["subject_id"].to_numpy()
    by_subject = np.argsort(subject, kind="stable")
    subjects, starts = np.unique(subject[by_subject], return_index=True)
    return View(
        table=table,
        available=available,
        hidden_from=hidden_from,
        previous=previous,
        commit=table["commit"].to_numpy(),
        subject=subject,
        by_subject=by_subject,
        subjects=subjects,
        starts=np.append(starts, subject.size),
    )


def extended(known: View, rows: pa.Table, *, by: str) -> View:
    """The view of what ``known`` holds and of further rows."""
    return view(pa.concat_tables([known.table, rows]), by=by) if rows.num_rows else known


def _instants(table: pa.Table, column: str) -> pa.Array:
    """A column of instants as int64; a static, which has no time, counts as true when it became available."""
    return pc.coalesce(table[column], table["available_time"]).cast(pa.int64())


def _versions(table: pa.Table, available: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(hidden_from, previous); only facts with more than one version are looked at one against the other."""
    hidden_from = np.full(table.num_rows, NEVER)
    previous = np.full(table.num_rows, -1)
    if "fact_id" not in table.column_names:  # a piece of a signal has one version
        return hidden_from, previous
    facts = pl.DataFrame(
        {"fact": pl.from_arrow(table["fact_id"]), "id": pl.from_arrow(table["event_id"]), "available": available}
    )
    chained = facts.with_row_index("place").filter(facts["fact"].is_duplicated()).sort("fact", "available", "id")
    places = chained["place"].to_numpy().astype(np.int64)
    same = (chained["fact"] == chained["fact"].shift(-1)).fill_null(False).to_numpy()[:-1]
    older, newer = places[:-1][same], places[1:][same]
    hidden_from[older] = available[newer]
    previous[newer] = older
    hidden_from[pc.is_in(table["status"], pa.array(RETRACTED)).to_numpy()] = ALWAYS_HIDDEN
    return hidden_from, previous
