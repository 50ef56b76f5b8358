"""Rows of many subjects → time-aligned tensors, subject by subject: what is exported, trained on, or compared in bulk.

The rows of a subject come together and may come in pieces, so that a store of any size passes through little memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.timeline.columns import instants, numbers
from clinical_jepa.timeline.grid import fill, line


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """One subject's values on its own grid, as in ``Window``: bin t is ``(edges[t], edges[t + 1]]``."""

    subject_id: int
    edges: np.ndarray  # int64 µs, [T + 1]
    codes: tuple[str, ...]
    values: np.ndarray  # float32 [T, V], NaN where there is none
    observed: np.ndarray  # bool [T, V]
    age: np.ndarray  # int64 µs [T, V], -1 where there never was one


def aligned(
    tables: Iterable[pa.Table],
    *,
    step: int,
    codes: Sequence[str],
    origins: Mapping[int, int],
    until: int | None = None,
) -> Iterator[Aligned]:
    """A grid for each subject with a number under one of ``codes``, in the order of the subjects.

    ``tables``: EVENTS rows seen as of one instant, all of a subject together (in any order within it, of equal times the
    later row counts). The edges of a subject lie whole steps from its origin (``Arrivals.origins``), so that they are the
    same whatever is asked: from the last one before its first value to the first one at or after its last value, or the
    last one at or before ``until``. ``step`` in µs; ``ValueError`` below 1, and for rows of a subject that came before.
    """
    if step < 1:
        raise ValueError(f"a grid needs a step of at least 1 µs, not {step}")
    wanted = pa.array(codes, pa.string())
    done: set[int] = set()
    for table in _whole_subjects(tables):
        for subject, rows in _subjects(_Rows.of(table, wanted)):
            if subject in done:
                raise ValueError("the rows of a subject come in two places; sort them by subject first")
            done.add(subject)
            start = line(origins[subject], step, int(rows.time.min()) - 1)
            end = line(start, step, int(rows.time.max()) - 1) + step if until is None else until
            edges = np.arange(start, end + 1, step, dtype=np.int64)
            if len(edges) > 1:
                values, observed, age = fill(rows.time, rows.column, rows.value, edges, len(codes))
                yield Aligned(
                    subject_id=subject, edges=edges, codes=tuple(codes), values=values, observed=observed, age=age
                )


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Numbers under wanted codes; the arrays are parallel."""

    subject: np.ndarray
    time: np.ndarray
    column: np.ndarray
    value: np.ndarray

    @staticmethod
    def of(table: pa.Table, wanted: pa.Array) -> _Rows:
        column = np.asarray(pc.index_in(table["code"], value_set=wanted).fill_null(-1).to_numpy(), np.int64)
        value = numbers(table, "numeric_value")
        rows = _Rows(subject=table["subject_id"].to_numpy(), time=instants(table, "time"), column=column, value=value)
        return rows.take((column >= 0) & np.isfinite(value))

    def take(self, places: np.ndarray | slice) -> _Rows:
        """Rows at these places."""
        return _Rows(
            subject=self.subject[places], time=self.time[places], column=self.column[places], value=self.value[places]
        )


def _subjects(rows: _Rows) -> Iterator[tuple[int, _Rows]]:
    """Each subject's rows by time, in the order of ``rows``."""
    edges = np.flatnonzero(np.append(True, rows.subject[1:] != rows.subject[:-1])[: rows.subject.size])
    for low, high in itertools.pairwise([*edges.tolist(), rows.subject.size]):
        mine = rows.take(slice(low, high))
        if (mine.time[1:] < mine.time[:-1]).any():
            mine = mine.take(np.argsort(mine.time, kind="stable"))
        yield int(rows.subject[low]), mine


def _whole_subjects(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows, cut where a subject ends: the rest of each piece waits for the next one."""
    waiting: list[pa.Table] = []
    for table in tables:
        if not table.num_rows:
            continue
        subject = table["subject_id"].to_numpy()
        changes = np.flatnonzero(subject[1:] != subject[:-1])
        begins = bool(waiting) and waiting[0]["subject_id"][0].as_py() != subject[0]
        if begins:
            yield pa.concat_tables(waiting)
            waiting = []
        cut = int(changes[-1]) + 1 if changes.size else 0
        if cut:
            yield pa.concat_tables([*waiting, table.slice(0, cut)])
            waiting = []
        waiting.append(table.slice(cut))
    if waiting:
        yield pa.concat_tables(waiting)
