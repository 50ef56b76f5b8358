"""What is true, apart from the ward's files: facts and when each could be known, the state, onsets, other courses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clinical_jepa.simulate.config import MINUTE_US, us
from clinical_jepa.simulate.course import Course
from clinical_jepa.simulate.insults import NEVER, Fate
from clinical_jepa.simulate.patients import Array, Patients
from clinical_jepa.simulate.physiology import LATENT, VITALS

_INSTANT = pa.timestamp("us")
FACTS = pa.schema(
    [
        ("identifier", pa.string()),
        ("code", pa.string()),
        ("time", _INSTANT),  # null for what has no time, such as sex
        ("knowable_time", _INSTANT),  # the earliest moment at which anyone could have known this version
        ("value", pa.float64()),
        ("version", pa.int32()),
        ("status", pa.string()),
    ]
)
PLANTED = pa.schema(
    [("identifier", pa.string()), ("resource", pa.string()), ("code", pa.string()), ("fault", pa.string())]
)
_TRACKS = ("fio2", "pressor")


class Facts:
    """Collects the facts of a patient and writes them as one row group."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, FACTS)
        self._tables: list[pa.Table] = []
        self._rows: list[tuple[Any, ...]] = []
        self.count = 0

    def add(
        self,
        identifier: str,
        code: str,
        seconds: tuple[float | None, float],
        value: float | None = None,
        version: tuple[int, str] = (1, "final"),
    ) -> None:
        """One fact: ``seconds`` are (time, knowable) after the ward's start, ``version`` is (number, status)."""
        time = None if seconds[0] is None else us(seconds[0])
        self._rows.append((identifier, code, time, us(seconds[1]), value, *version))

    def add_series(
        self, identifier: str, code: str, times: Array, knowable: Array, values: Array | None = None
    ) -> None:
        """Many facts of one code; ``times`` and ``knowable`` are int64 µs UTC."""
        n = len(times)
        columns = [
            pa.repeat(identifier, n),
            pa.repeat(code, n),
            pa.array(times, _INSTANT),
            pa.array(knowable, _INSTANT),
        ]
        numbers = pa.nulls(n, pa.float64()) if values is None else pa.array(values, pa.float64())
        rest = [numbers, pa.array(np.ones(n, np.int32)), pa.repeat("final", n)]
        self._tables.append(pa.table([*columns, *rest], FACTS))

    def flush(self) -> None:
        """Writes what was collected, in order of time."""
        columns = list(zip(*self._rows, strict=True)) or [() for _ in FACTS]
        rows = pa.table([pa.array(column, field.type) for column, field in zip(columns, FACTS, strict=True)], FACTS)
        table = pa.concat_tables([rows, *self._tables])
        table = table.sort_by(
            [(name, "ascending") for name in ("identifier", "knowable_time", "time", "code", "version")]
        )
        self._writer.write_table(table)
        self.count += len(table)
        self._rows, self._tables = [], []

    def close(self) -> None:
        """Writes the rest and the file's end."""
        if self._rows or self._tables:
            self.flush()
        self._writer.close()


class Tracks:
    """Writes one row a patient and minute (or hour) of chosen columns."""

    def __init__(self, path: Path, columns: Sequence[str], *, what: bool = False) -> None:
        names = [("what", pa.string())] * what
        fields = [("identifier", pa.string()), ("time", _INSTANT), *names, *((name, pa.float32()) for name in columns)]
        self._schema = pa.schema(fields)
        self._writer = pq.ParquetWriter(path, self._schema)

    def write(self, identifier: str, times: Array, values: Array, what: str | None = None) -> None:
        """``values`` are ``[rows, columns]``."""
        n = len(times)
        names = [] if what is None else [pa.repeat(what, n)]
        columns = [pa.array(np.ascontiguousarray(column), pa.float32()) for column in values.T]
        table = [pa.repeat(identifier, n), pa.array(times, _INSTANT), *names, *columns]
        self._writer.write_table(pa.table(table, self._schema))

    def close(self) -> None:
        """Writes the file's end."""
        self._writer.close()


STATE_COLUMNS = (*LATENT, "opacity", *VITALS, *_TRACKS)


def state(course: Course, patients: Patients, i: int, every: int = 1) -> tuple[Array, Array]:
    """``(times, values)`` of patient ``i`` during the stay: the state at the end of each minute, in STATE_COLUMNS."""
    minutes = np.arange(int(patients.admitted[i]), min(int(patients.left[i]), len(course.fio2)))[::every]
    tracks = np.stack([course.fio2[minutes, i], course.pressor[minutes, i]], 1)
    values = np.concatenate([course.latent[minutes, :, i], course.vitals[minutes, :, i], tracks], 1)
    return us(0) + (minutes + 1) * MINUTE_US, values


def onsets(course: Course, fate: Fate, patients: Patients, i: int) -> list[tuple[int, str]]:
    """``(minute, kind)``: the beginning of each insult, and the first minute of each true consequence."""
    first, last = int(patients.admitted[i]), min(int(patients.left[i]), len(course.fio2))
    found = []
    for kind, start in (
        ("sepsis begins", fate.insults.sepsis_start[i]),
        ("lung injury begins", fate.insults.lung_start[i]),
    ):
        if start != NEVER:
            found.append((int(start), kind))
    pressure, oxygen = course.vitals[first:last, 1, i], course.vitals[first:last, 5, i]
    held = {
        "shock": _sustained(pressure < 65, 15),
        "vasopressor": course.pressor[first:last, i] > 0,
        "respiratory failure": _sustained((oxygen < 90) & (course.fio2[first:last, i] >= 50), 10),
    }
    for kind, mask in held.items():
        starts = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8)))) == 1)
        found += [(first + int(start), kind) for start in starts]
    return sorted(found)


def _sustained(mask: Array, minutes: int) -> Array:
    """True in runs of at least so many minutes."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0])))).reshape(-1, 2)
    out = np.zeros(len(mask), bool)
    for start, end in edges:
        out[start:end] = end - start >= minutes
    return out


def write_rows(path: Path, schema: pa.Schema, rows: Sequence[tuple[Any, ...]]) -> None:
    """A small table."""
    columns = list(zip(*rows, strict=True)) or [() for _ in schema]
    pq.write_table(pa.table([pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)], schema), path)


ONSETS = pa.schema([("identifier", pa.string()), ("time", _INSTANT), ("kind", pa.string())])
IMAGES = pa.schema([("identifier", pa.string()), ("time", _INSTANT), ("file", pa.string()), ("opacity", pa.float64())])
