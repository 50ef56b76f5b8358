"""Rows under the subject they belong to: a move says a row again, under another subject, available at the move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from clinical_jepa.store.owners import Owners


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Rows as they are seen, and as they were stored: None where that is the same for all of them."""

    table: pa.Table
    origin: np.ndarray | None = None  # int64 [N]: the subject that the row was stored under
    again: np.ndarray | None = None  # bool [N]: a move said it, no source

    def take(self, places: np.ndarray) -> Moved:
        """Rows at these places, in this order."""
        return Moved(
            table=self.table.combine_chunks().take(places),
            origin=None if self.origin is None else self.origin[places],
            again=None if self.again is None else self.again[places],
        )

    def and_(self, others: Moved) -> Moved:
        """These and further rows, in this order."""
        table = pa.concat_tables([self.table, others.table])
        if self.origin is None and others.origin is None:
            return Moved(table=table)
        first, second = self._marked(), others._marked()
        return Moved(
            table=table,
            origin=np.concatenate([first[0], second[0]]),
            again=np.concatenate([first[1], second[1]]),
        )

    def combined(self) -> Moved:
        """The same in one chunk."""
        return Moved(table=self.table.combine_chunks(), origin=self.origin, again=self.again)

    def _marked(self) -> tuple[np.ndarray, np.ndarray]:
        if self.origin is None or self.again is None:
            return self.table["subject_id"].to_numpy(), np.zeros(self.table.num_rows, bool)
        return self.origin, self.again


def unmoved(rows: Moved) -> pa.Table:
    """The rows as they were stored."""
    if rows.origin is None or rows.again is None:
        return rows.table
    return _with(rows.table, "subject_id", rows.origin).filter(pa.array(~rows.again))


def moved(table: pa.Table, until: np.ndarray, owners: Owners) -> Moved:
    """Rows (in order, each seen until ``until``) under the owners of their subjects, those said again at the end."""
    subject = table["subject_id"].to_numpy()
    available = np.asarray(table["available_time"].cast(pa.int64()).to_numpy())
    concerned = np.flatnonzero(np.isin(subject, np.array(list(owners.moves), np.int64)))
    if not concerned.size:
        return Moved(table=table)
    belongs, places, instants, subjects, bases = subject.copy(), [], [], [], []
    for one in np.unique(subject[concerned]).tolist():
        mine, moves = concerned[subject[concerned] == one], owners.moves[one]
        step = np.searchsorted(moves.instants, available[mine], "right")
        belongs[mine] = np.append(one, moves.owners)[step]
        for instant, owner, basis in zip(moves.instants.tolist(), moves.owners.tolist(), moves.bases, strict=True):
            going = mine[(available[mine] < instant) & (instant < until[mine])]
            places.append(going)
            instants.append(np.full(going.size, instant))
            subjects.append(np.full(going.size, owner))
            bases += [basis] * going.size
    going = np.concatenate([np.zeros(0, np.int64), *places])
    said = table.combine_chunks().take(going)
    said = _with(said, "available_time", np.concatenate([np.zeros(0, np.int64), *instants]))
    said = _with(said, "available_basis", np.array(bases, object))
    said = _with(said, "subject_id", np.concatenate([np.zeros(0, np.int64), *subjects]))
    return Moved(
        table=pa.concat_tables([_with(table, "subject_id", belongs), said]),
        origin=np.concatenate([subject, subject[going]]),
        again=np.append(np.zeros(subject.size, bool), np.ones(going.size, bool)),
    )


def _with(table: pa.Table, name: str, values: np.ndarray) -> pa.Table:
    field = table.schema.field(name)
    column = (
        pa.array(values, pa.string()) if field.type == pa.string() else pa.array(values, pa.int64()).cast(field.type)
    )
    return table.set_column(table.schema.get_field_index(name), field, column)
