"""WFDB records of a folder → batches of signal pieces, numerics, alarms and rejections.

A unit of reading is a top-level record: a master of segments, or a single-segment record that no master lists.
Waveforms become pieces at their own rates; a numerics record (``…n``, at most one value a second) becomes events.
A broken or absent segment is a rejection, and the rest of the record is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_jepa.records.batch import Rejection, SignalPiece, SourceBatch
from clinical_jepa.sources.growing import growing, half_written
from clinical_jepa.sources.rows import Rows
from clinical_jepa.sources.wfdb import doubt, folder
from clinical_jepa.sources.wfdb.alarms import WAITING, alarms
from clinical_jepa.sources.wfdb.mapping import Kind, target, ucum, waveform
from clinical_jepa.sources.wfdb.numerics import numerics
from clinical_jepa.sources.wfdb.pieces import minutes, pieces
from clinical_jepa.sources.wfdb.record import Span, TopRecord, open_record, refuse
from clinical_jepa.sources.wfdb.segments import BadSegment, Fragment, fragments, minute_frames
from clinical_jepa.vocabulary.units import conversion

if TYPE_CHECKING:
    from clinical_jepa.sources.context import ReadContext

PIECES_A_BATCH = 240
find, parts, divided = folder.find, folder.parts, folder.divided


@dataclass(frozen=True, kw_only=True)
class _Aside:
    """What of a record is no row: refused, of no interest here, or left for a later run."""

    problems: list[Rejection] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


def read(path: Path, context: ReadContext) -> Iterator[SourceBatch]:
    """The batches of one record; at least one, which holds the reason where nothing could be read."""
    if (waits := doubt.awaited(path)) is not None:
        yield _waits(*waits, growing(parts(path), context))
        return
    path, segment, start = folder.whole(path)
    record = _no_header(path) if path.suffix != ".hea" else open_record(path, context)
    aside = _Aside()
    if _too_early(path, record, context):
        aside.ignored[WAITING] += 1
    elif isinstance(record, Rejection):
        aside.problems.append(record)
    else:
        if segment in (None, folder.BESIDE):
            yield from _beside(record, context, aside)
        spans = [span for span in record.spans if segment is None or (span.path.stem, span.start) == (segment, start)]
        yield from _samples(record, spans, context, aside)
    if aside.problems or aside.ignored:
        yield _rest(aside)


def offset(path: Path, context: ReadContext) -> int:
    """How far the clock of a unit's record stands off, as the site says (µs); 0 where it says nothing, or it is refused."""
    if doubt.awaited(path) is not None:
        return 0
    header = folder.whole(path)[0]
    record = open_record(header, context) if header.suffix == ".hea" else None
    return record.offset if isinstance(record, TopRecord) else 0


def _beside(record: TopRecord, context: ReadContext, aside: _Aside) -> Iterator[SourceBatch]:
    """The alarms of a record; its other annotations are counted."""
    found = alarms(record, context, aside.ignored)
    if found.events or found.rejections:
        yield _batch(record, found)
    if not record.spans:
        aside.ignored["record without signals"] += 1


def _samples(record: TopRecord, spans: Sequence[Span], context: ReadContext, aside: _Aside) -> Iterator[SourceBatch]:
    """The rows of some segments of a record; what is none is put aside."""
    parts = _parts(record, spans, context, aside)
    if record.numerics:
        for rows in numerics(record, parts, context):
            yield _batch(record, rows)
        return
    waiting: list[SignalPiece] = []
    for minute in minutes(record, parts):
        if _unfinished(record, minute, context):
            aside.ignored[WAITING] += 1
            continue
        waiting += pieces(record, minute, context)
        if len(waiting) >= PIECES_A_BATCH:
            yield _batch(record, Rows(), tuple(waiting))
            waiting = []
    yield _batch(record, Rows(), tuple(waiting))


def _too_early(path: Path, record: TopRecord | Rejection, context: ReadContext) -> bool:
    """Whether a header that is being written may say more, or the record turn out to be a segment of one to come."""
    if half_written(path, context):
        return True
    if isinstance(record, Rejection):
        return record.reason == "unreadable" and growing([path], context)
    return record.relative and not record.header.master and growing(parts(path), context)


def _waits(path: Path, other: Path, still_written: bool) -> SourceBatch:
    """Of a header that may be a segment of another one, which is damaged: nothing yet."""
    if still_written:
        return _rest(_Aside(ignored=Counter({WAITING: 1})))
    why = "it is damaged; put it back whole, and ingest again"
    return _rest(_Aside(problems=[refuse(path, path.stem, "unreadable", doubt.reason(other, why))]))


def _no_header(path: Path) -> Rejection:
    message = "no header names this file, so nothing says what it holds; put its .hea beside it"
    return refuse(path, path.name, "unreadable", message)


def _batch(record: TopRecord, rows: Rows, signals: tuple[SignalPiece, ...] = ()) -> SourceBatch:
    return SourceBatch(
        events=rows.table(), identities=(record.identity,), signals=signals, rejections=tuple(rows.rejections)
    )


def _rest(aside: _Aside) -> SourceBatch:
    return SourceBatch(
        events=Rows().table(),
        rejections=tuple(aside.problems),
        ignored=dict(+aside.ignored),
    )


def _parts(record: TopRecord, spans: Sequence[Span], context: ReadContext, aside: _Aside) -> Iterator[Fragment]:
    """All readable windows of some segments in order; what was refused or waits is noted in ``aside``."""
    seen: set[tuple[str, str, str]] = set()
    for span in spans:
        try:
            if half_written(span.path, context):
                raise BadSegment("its header ends inside a line")
            for part in fragments(record, span):
                for trace in part.traces:
                    about = (trace.name, trace.unit, trace.problem)
                    if about not in seen:
                        seen.add(about)
                        aside.problems.extend(_doubts(record, *about))
                yield part
        except BadSegment as error:
            if growing(_files(record, span), context):
                aside.ignored[WAITING] += 1
                continue
            rest = "the record's other segments were read" if record.header.master else "its annotations were read"
            message = f"segment refused: {error}; nothing of it was kept, {rest}"
            aside.problems.append(refuse(span.path, span.path.stem, "unreadable", message))


def _files(record: TopRecord, span: Span) -> list[Path]:
    """The files that are touched while the segment may still come: its own, or, where it has no header yet, the record's."""
    return parts(span.path) if span.path.exists() else [record.path]


def _unfinished(record: TopRecord, minute: Fragment, context: ReadContext) -> bool:
    """The last, partial minute of a record without segments, while its files still grow: the next run reads more of it."""
    cut = (minute.start + minute.frames) % minute_frames(record) != 0
    return cut and not record.header.master and growing(parts(record.path), context)


def _doubts(record: TopRecord, name: str, unit: str, problem: str) -> list[Rejection]:
    """A signal that cannot be taken, or whose unit has no certain conversion, once a record."""
    kind: Kind = "numeric" if record.numerics else "signal"
    found = target("numeric", name) if record.numerics else waveform(name)
    where = f"{record.path.stem} {name}"
    if found is None:
        message = f"{kind} {name!r} is in no table; a row of wfdb.csv in the site's code tables (site.codes) takes it"
        return [refuse(record.path, where, "unmapped", message)]
    if problem:
        message = f"{kind} {name!r}: {problem}; nothing of it was kept"
        return [refuse(record.path, where, "invalid", message)]
    if kind == "signal" and found.unit is not None and conversion(ucum(unit) or "", found.unit) is None:
        message = f"{kind} {name!r} comes in {unit!r}, which has no certain conversion to {found.unit}"
        return [refuse(record.path, where, "unknown-unit", message)]
    return []
