"""WFDB records of a folder → batches of signal pieces, numerics, alarms and rejections.

A unit of reading is a top-level record: a master of segments, or a single-segment record that no master lists.
Waveforms become pieces at their own rates; a numerics record (``…n``, at most one value a second) becomes events.
A broken or absent segment is a rejection, and the rest of the record is read.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_jepa.records.batch import Rejection, SignalPiece, SourceBatch
from clinical_jepa.sources.rows import Rows
from clinical_jepa.sources.wfdb.alarms import alarms
from clinical_jepa.sources.wfdb.mapping import Kind, target, ucum
from clinical_jepa.sources.wfdb.numerics import numerics
from clinical_jepa.sources.wfdb.pieces import minutes, pieces
from clinical_jepa.sources.wfdb.record import TopRecord, open_record, refuse
from clinical_jepa.sources.wfdb.segments import BadSegment, Fragment, fragments
from clinical_jepa.vocabulary.units import conversion

if TYPE_CHECKING:
    from clinical_jepa.sources.context import ReadContext

PIECES_A_BATCH = 240


def find(root: Path) -> list[Path]:
    """The headers of all top-level records under a folder (or the header itself), in order of their paths."""
    headers = [root] if root.suffix == ".hea" else sorted(root.rglob("*.hea"))
    inner: set[Path] = set()
    for path in headers:
        inner.update(path.with_name(f"{name}.hea") for name in _segment_names(path))
    return [path for path in headers if path not in inner]


def _segment_names(path: Path) -> list[str]:
    """The segments that a master header lists; none for any other header."""
    text = path.read_text(encoding="latin-1")
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or "/" not in lines[0][0]:
        return []
    return [line[0] for line in lines[1:] if line[0] != "~" and re.fullmatch(r"[\w.-]+", line[0])]


def parts(header: Path) -> list[Path]:
    """A header with its annotations, and the segments and signal files that its lines name: what is read from it."""
    return sorted(_files(header))


def _files(header: Path) -> set[Path]:
    files = set(header.parent.glob(f"{glob.escape(header.stem)}.*"))
    for line in header.read_text(encoding="latin-1").splitlines():
        name = line.split()[0] if line.strip() else "#"
        segment = header.with_name(f"{name}.hea") if not name.startswith(("#", "~")) and "/" not in name else header
        if segment != header and segment.is_file():
            files |= _files(segment)
        elif (signal := header.with_name(Path(name).name)).is_file():
            files.add(signal)
    return files


def read(path: Path, context: ReadContext) -> Iterator[SourceBatch]:
    """The batches of one record; at least one, which holds the reason where nothing could be read."""
    record = open_record(path, context)
    if isinstance(record, Rejection):
        yield SourceBatch(events=Rows().table(), rejections=(record,))
        return
    problems: list[Rejection] = []
    found = alarms(record, context)
    if found.events or found.rejections:
        yield _batch(record, found)
    parts = _parts(record, problems)
    if record.numerics:
        for rows in numerics(record, parts, context):
            yield _batch(record, rows)
    else:
        waiting: list[SignalPiece] = []
        for minute in minutes(record, parts):
            waiting += pieces(record, minute, context)
            if len(waiting) >= PIECES_A_BATCH:
                yield _batch(record, Rows(), tuple(waiting))
                waiting = []
        yield _batch(record, Rows(), tuple(waiting))
    if problems:
        yield _batch(record, Rows(rejections=problems))


def _batch(record: TopRecord, rows: Rows, signals: tuple[SignalPiece, ...] = ()) -> SourceBatch:
    return SourceBatch(
        events=rows.table(), identities=(record.identity,), signals=signals, rejections=tuple(rows.rejections)
    )


def _parts(record: TopRecord, problems: list[Rejection]) -> Iterator[Fragment]:
    """All readable windows of a record in order; what was refused is added to ``problems``."""
    seen: set[tuple[str, str]] = set()
    for span in record.spans:
        try:
            for part in fragments(record, span):
                for trace in part.traces:
                    if (trace.name, trace.unit) not in seen:
                        seen.add((trace.name, trace.unit))
                        problems += _doubts(record, trace.name, trace.unit)
                yield part
        except BadSegment as error:
            message = f"segment refused: {error}; nothing of it was kept, the record's other segments were read"
            problems.append(refuse(span.path, span.path.stem, "unreadable", message))


def _doubts(record: TopRecord, name: str, unit: str) -> list[Rejection]:
    """A signal that the table does not know, or whose unit has no certain conversion, once a record."""
    kind: Kind = "numeric" if record.numerics else "signal"
    found = target(kind, name)
    where = f"{record.path.stem} {name}"
    if found is None:
        message = f"{kind} {name!r} is not in schemas/codes/wfdb.csv; add a row to take it"
        return [refuse(record.path, where, "unmapped", message)]
    if kind == "signal" and found.unit is not None and conversion(ucum(unit) or "", found.unit) is None:
        message = f"{kind} {name!r} comes in {unit!r}, which has no certain conversion to {found.unit}"
        return [refuse(record.path, where, "unknown-unit", message)]
    return []
