"""Our own validator of MEDS 0.4 datasets: every violation with its file and row.

The ``meds`` package checks one table against its schema; it takes unsorted and interleaved rows, and shifts zoned times
without a word. Here every rule of the standard is checked, over all files together, a batch at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clinical_jepa.sources.meds import layout

_ROWS = 200_000
_TYPES: dict[str, tuple[pa.DataType, ...]] = {
    "subject_id": (pa.int64(),),
    "time": (pa.timestamp("us"),),
    "code": (pa.string(),),
    "numeric_value": (pa.float32(),),
    "text_value": (pa.large_string(),),
}
_LISTED = ("raw_source_id_columns", "code_modifier_columns", "other_extension_columns", "site_id_columns")


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One breach of the standard. ``row`` counts from 0 within the file; None where it is about the file."""

    rule: str
    file: str
    row: int | None
    message: str


@dataclass(kw_only=True)
class _Seen:
    """What the files before have shown."""

    folder: Path
    home: dict[int, str] = field(default_factory=dict)  # by subject: the file its rows lie in
    codes: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)


def violations(folder: Path) -> Iterator[Violation]:
    """Everything in which a dataset departs from the standard; none for a valid one."""
    seen = _Seen(folder=folder)
    files = sorted((folder / layout.DATA).rglob("*.parquet")) if (folder / layout.DATA).is_dir() else []
    if not files:
        yield Violation(rule="no-data", file=layout.DATA, row=None, message="there is no Parquet file in data/")
    for path in files:
        yield from _shard(path, seen)
    yield from _codes(seen)
    yield from _splits(seen)
    yield from _description(seen)


def _shard(path: Path, seen: _Seen) -> Iterator[Violation]:
    name = path.relative_to(seen.folder).as_posix()
    try:
        with pq.ParquetFile(path) as file:
            wrong = list(_columns(file.schema_arrow, name, _TYPES, optional=("numeric_value", "text_value")))
            yield from wrong
            seen.columns |= set(file.schema_arrow.names)
            if not wrong:
                yield from _rows(file, name, seen)
    except (OSError, pa.ArrowException) as error:
        why = f"cannot be read as Parquet to its end ({type(error).__name__})"
        yield Violation(rule="unreadable", file=name, row=None, message=why)


def _columns(
    schema: pa.Schema, file: str, types: dict[str, tuple[pa.DataType, ...]], *, optional: tuple[str, ...] = ()
) -> Iterator[Violation]:
    for name, allowed in types.items():
        if name not in schema.names:
            if name not in optional:
                yield Violation(rule="no-column", file=file, row=None, message=f"lacks the column {name}")
            continue
        found = schema.field(name).type
        if found not in allowed:
            zoned = pa.types.is_timestamp(found) and found.tz is not None
            rule = "zoned-time" if zoned else "wrong-type"
            yield Violation(rule=rule, file=file, row=None, message=f"{name} is {found}, not {allowed[0]}")


def _rows(file: pq.ParquetFile, name: str, seen: _Seen) -> Iterator[Violation]:
    """Order and place of every row; ``last`` is the one before the batch."""
    first, last = 0, None
    done: set[int] = set()
    for batch in file.iter_batches(_ROWS, columns=["subject_id", "time", "code"]):
        for column in ("subject_id", "code"):
            for row in np.flatnonzero(pc.is_null(batch[column]).to_numpy(zero_copy_only=False)):
                yield Violation(rule="null", file=name, row=first + int(row), message=f"{column} is null")
        seen.codes |= set(pc.unique(batch["code"]).drop_null().to_pylist())
        subject = pc.fill_null(batch["subject_id"], -1).to_numpy()
        time = pc.fill_null(batch["time"].cast(pa.int64()), np.iinfo(np.int64).min).to_numpy()
        yield from _order(subject, time, last, name, first)
        yield from _places(subject, last, (name, first, done), seen)
        if batch.num_rows:
            last = (int(subject[-1]), int(time[-1]))
        first += batch.num_rows


def _order(
    subject: np.ndarray, time: np.ndarray, last: tuple[int, int] | None, name: str, first: int
) -> Iterator[Violation]:
    """A null time stands before every other."""
    before = np.concatenate([[last[0] if last else -2], subject[:-1]])[: subject.size]
    earlier = np.concatenate([[last[1] if last else 0], time[:-1]])[: time.size]
    for row in np.flatnonzero((before == subject) & (time < earlier)):
        static = time[row] == np.iinfo(np.int64).min
        why = (
            "a row without a time stands after rows with one"
            if static
            else "its time lies before that of the row above"
        )
        yield Violation(rule="unsorted", file=name, row=first + int(row), message=why)


def _places(
    subject: np.ndarray, last: tuple[int, int] | None, at: tuple[str, int, set[int]], seen: _Seen
) -> Iterator[Violation]:
    """Every subject's rows stand together, in one file."""
    name, first, done = at
    before = np.concatenate([[last[0] if last else -2], subject[:-1]])[: subject.size]
    for row in np.flatnonzero(before != subject):
        one = int(subject[row])
        if one in done:
            why = "its subject had rows above, and another subject's stand between"
            yield Violation(rule="interleaved", file=name, row=first + int(row), message=why)
        elif one in seen.home:
            why = f"its subject has rows in {seen.home[one]} too"
            yield Violation(rule="scattered", file=name, row=first + int(row), message=why)
        done.add(one)
        seen.home.setdefault(one, name)


def _table(
    seen: _Seen, name: str, types: dict[str, tuple[pa.DataType, ...]]
) -> tuple[pa.Table | None, list[Violation]]:
    path, file = seen.folder / layout.METADATA / name, f"{layout.METADATA}/{name}"
    if not path.is_file():
        return None, [Violation(rule="no-metadata", file=file, row=None, message="is not there")]
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        why = f"cannot be read as Parquet ({type(error).__name__})"
        return None, [Violation(rule="unreadable", file=file, row=None, message=why)]
    wrong = list(_columns(table.schema, file, types, optional=("description", "parent_codes")))
    return (None if wrong else table), wrong


def _codes(seen: _Seen) -> Iterator[Violation]:
    types = {"code": (pa.string(),), "description": (pa.string(),), "parent_codes": (pa.list_(pa.string()),)}
    table, wrong = _table(seen, layout.CODES, types)
    yield from wrong
    if table is None:
        return
    file, listed = f"{layout.METADATA}/{layout.CODES}", table["code"].to_pylist()
    yield from _repeated(listed, file, "code")
    for code in sorted(seen.codes - set(listed)):
        yield Violation(
            rule="code-not-listed", file=file, row=None, message=f"lacks the code {code}, which the data has"
        )


def _splits(seen: _Seen) -> Iterator[Violation]:
    table, wrong = _table(seen, layout.SPLITS, {"subject_id": (pa.int64(),), "split": (pa.string(),)})
    yield from wrong
    if table is None:
        return
    file, listed = f"{layout.METADATA}/{layout.SPLITS}", table["subject_id"].to_pylist()
    if extra := sorted(set(table.schema.names) - {"subject_id", "split"}):
        yield Violation(
            rule="extra-column", file=file, row=None, message=f"has the columns {', '.join(extra)}, which it must not"
        )
    yield from _repeated(listed, file, "subject_id")
    if missing := len(set(seen.home) - set(listed) - {-1}):
        yield Violation(rule="no-split", file=file, row=None, message=f"{missing} subjects of the data are in no split")


def _repeated(values: list[object], file: str, what: str) -> Iterator[Violation]:
    known: set[object] = set()
    for row, value in enumerate(values):
        if value is None or value in known:
            why = f"{what} is null" if value is None else f"this {what} stands above too"
            yield Violation(rule="null" if value is None else "repeated", file=file, row=row, message=why)
        known.add(value)


def _description(seen: _Seen) -> Iterator[Violation]:
    file = f"{layout.METADATA}/{layout.DATASET}"
    try:
        found = json.loads((seen.folder / layout.METADATA / layout.DATASET).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        yield Violation(rule="no-metadata", file=file, row=None, message=f"cannot be read ({type(error).__name__})")
        return
    if not isinstance(found, dict):
        yield Violation(rule="wrong-type", file=file, row=None, message="is not one object")
        return
    if not str(found.get("meds_version", "")).startswith("0.4"):
        yield Violation(rule="wrong-version", file=file, row=None, message="meds_version is not 0.4")
    for key in _LISTED:
        listed = found.get(key) or []
        if not isinstance(listed, list):
            yield Violation(rule="wrong-type", file=file, row=None, message=f"{key} is no list of columns")
            continue
        for name in sorted(set(map(str, listed)) - seen.columns):
            yield Violation(
                rule="no-column", file=file, row=None, message=f"{key} names {name}, which no data file has"
            )
