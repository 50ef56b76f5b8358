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
_CHUNKS = 32  # of a table that grows: then it is copied into one


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


def view(table: pa.Table) -> View:
    """A view of rows with their ``commit``."""
    keys = pl.DataFrame(
        {
            "available": pl.from_arrow(table["available_time"].cast(pa.int64())),
            "time": pl.from_arrow(_about(table)),
            "event_id": pl.from_arrow(table["event_id"]),
        }
    )
    order = keys.with_row_index("place").sort("available", "time", "event_id")["place"].to_numpy().astype(np.int64)
    if not np.array_equal(order, np.arange(order.size)):  # a compacted store comes in order
        table = table.combine_chunks().take(order)
    available = keys["available"].to_numpy()[order]
    hidden_from, previous = np.full(order.size, NEVER), np.full(order.size, -1)
    if "fact_id" in table.column_names:  # a piece of a signal has one version
        facts = pl.Series(pl.from_arrow(table["fact_id"]))
        _chain(table, available, np.flatnonzero(facts.is_duplicated().to_numpy()), hidden_from, previous)
        hidden_from[pc.is_in(table["status"], pa.array(RETRACTED)).to_numpy()] = ALWAYS_HIDDEN
    return _grouped(table.combine_chunks(), available, hidden_from, previous)


def extended(known: View, rows: pa.Table) -> View:
    """The view of what ``known`` holds and of further rows, made at the cost of these where all of them are newer."""
    if not rows.num_rows:
        return known
    new = view(rows)
    if known.available.size and new.available[0] <= known.available[-1]:
        return view(pa.concat_tables([known.table, rows]))
    table = pa.concat_tables([known.table, new.table])
    if table["event_id"].num_chunks > _CHUNKS:
        table = table.combine_chunks()
    size = known.available.size
    available = np.concatenate([known.available, new.available])
    hidden_from = np.concatenate([known.hidden_from, new.hidden_from])
    previous = np.concatenate([known.previous, np.where(new.previous < 0, -1, new.previous + size)])
    if "fact_id" in table.column_names:
        facts = pl.Series(pl.from_arrow(new.table["fact_id"])).unique()
        known_facts = pl.Series(pl.from_arrow(known.table["fact_id"]))
        again = np.flatnonzero(known_facts.is_in(facts.implode()).to_numpy())
        if again.size:
            retracted = hidden_from == ALWAYS_HIDDEN
            _chain(table, available, np.append(again, np.arange(size, available.size)), hidden_from, previous)
            hidden_from[retracted] = ALWAYS_HIDDEN
    return _grouped(table, available, hidden_from, previous)


def _grouped(table: pa.Table, available: np.ndarray, hidden_from: np.ndarray, previous: np.ndarray) -> View:
    subject = table["subject_id"].to_numpy()
    by_subject = np.argsort(subject, kind="stable")
    grouped = subject[by_subject]
    starts = np.flatnonzero(np.append(True, grouped[1:] != grouped[:-1])[: subject.size])
    return View(
        table=table,
        available=available,
        hidden_from=hidden_from,
        previous=previous,
        commit=table["commit"].to_numpy(),
        subject=subject,
        by_subject=by_subject,
        subjects=grouped[starts],
        starts=np.append(starts, subject.size),
    )


def _about(table: pa.Table) -> pa.Array:
    """The rows' times as int64; a static, which has no time, counts as true when it became available."""
    return pc.coalesce(table["time"], table["available_time"]).cast(pa.int64())


def _chain(
    table: pa.Table, available: np.ndarray, places: np.ndarray, hidden_from: np.ndarray, previous: np.ndarray
) -> None:
    """Writes into the last two, for the rows at ``places`` (all versions of some facts), what follows what."""
    rows = table.select(["fact_id", "event_id"]).take(places)
    versions = pl.DataFrame(
        {
            "fact": pl.from_arrow(rows["fact_id"]),
            "available": available[places],
            "id": pl.from_arrow(rows["event_id"]),
            "place": places,
        }
    ).sort("fact", "available", "id")
    same = (versions["fact"] == versions["fact"].shift(-1)).fill_null(False).to_numpy()[:-1]
    ordered = versions["place"].to_numpy()
    older, newer = ordered[:-1][same], ordered[1:][same]
    hidden_from[older] = available[newer]
    previous[newer] = older
