"""A monitor's numerics record (one value a minute, name ending in ``n``) → events.

Sample k of the record summarises the minute that starts at ``base + k min``. That start is its ``time``, as in the
file; it is available at the minute's end. So a value charted at 14:00 from the monitor belongs to the minute
(13:59, 14:00], whose ``time`` is 13:59: the charted and monitor heart rates of MIMIC-III subjects 10013 and 10061 agree
under this reading. Where the table says so, 0 means that the monitor had no value, and gives no event.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.columnar.events import NOTHING, SEPARATOR, content
from clinical_jepa.sources.rows import Fact, Origin, Rows
from clinical_jepa.sources.wfdb.mapping import Target, target, ucum
from clinical_jepa.sources.wfdb.record import TopRecord
from clinical_jepa.sources.wfdb.segments import Fragment, Trace
from clinical_jepa.vocabulary.codes import by_code
from clinical_jepa.vocabulary.units import conversion

if TYPE_CHECKING:
    from clinical_jepa.sources.context import ReadContext

SOURCE = "wfdb:numerics"
ROWS_A_BATCH = 100_000


def numerics(record: TopRecord, parts: Iterable[Fragment], context: ReadContext) -> Iterator[Rows]:
    """The values of a numerics record in order, as batches of rows."""
    rows = Rows()
    for part in parts:
        if len(rows.events) >= ROWS_A_BATCH:
            yield rows
            rows = Rows()
        starts = [record.instant(frame) for frame in range(part.start, part.start + part.frames + 1)]
        for found, unit, values in _columns(part):
            _keep(rows, record, context, (part.start, starts), (found, unit, values))
    yield rows


def _columns(part: Fragment) -> list[tuple[Target, str | None, np.ndarray]]:
    """One column a code: the best-ranked signal, filled by the next one where it has no value."""
    signals: dict[str, list[tuple[Target, Trace]]] = defaultdict(list)
    for trace in part.traces:
        found = target("numeric", trace.name)
        if found is not None:
            signals[found.target].append((found, trace))
    columns = []
    for choices in signals.values():
        choices.sort(key=lambda choice: choice[0].rank)
        left = np.ones(part.frames, bool)
        for found, trace in choices:
            values = trace.samples[:: trace.per_frame].copy()
            values[~left | (found.zero_is_missing & (values == 0))] = np.nan
            left &= ~np.isfinite(values)
            columns.append((found, ucum(trace.unit), values))
    return columns


def _keep(
    rows: Rows,
    record: TopRecord,
    context: ReadContext,
    minutes: tuple[int, list[int]],
    column: tuple[Target, str | None, np.ndarray],
) -> None:
    """Every value of one column; a plausible one without an object of its own, as there is one for each minute of a stay."""
    (first, starts), (found, unit, values) = minutes, column
    source, subject = record.source(SOURCE), record.identity.subject_id
    column_says = record.column(SOURCE)
    places = np.flatnonzero(np.isfinite(values)).tolist()
    plain, canonical = _plausible(found.target, unit, values[places].astype(np.float64))
    delay = context.delays["monitor"]
    basis = availability(0, delay=delay)[1]
    for place, kept, value in zip(places, plain, canonical, strict=True):
        start, end = starts[place], starts[place + 1]
        if not kept:
            where = Origin(
                source=source,
                file=record.path.name,
                record=f"{record.path.stem} {found.name} #{first + place}",
                shifted=record.offset != 0,
            )
            rows.add(_fact(record, context, (found.target, unit, float(values[place])), [start, end]), where)
            continue
        known = end + (delay or 0)
        fact = content(f"{source}{SEPARATOR}{subject}/{found.target}/{record.own(start)}")
        said = (fact, subject, start, found.target, value, NOTHING, by_code()[found.target].unit, "final", known)
        rows.events.append(
            (subject, start, found.target, value, None, known, basis, said[6], None, column_says)
            + (content(SEPARATOR.join(map(str, said))), fact, "final", None)
        )


def _plausible(code: str, unit: str | None, values: np.ndarray) -> tuple[list[bool], list[float]]:
    """Which values lie within the limits of a listed code, and all in its unit; none where the unit says no such thing."""
    listed = by_code().get(code)
    factors = None if listed is None or not listed.unit or unit is None else conversion(unit, listed.unit, code=code)
    if listed is None or factors is None:
        return [False] * len(values), values.tolist()
    canonical = values * factors[0] + factors[1]
    low = -np.inf if listed.low is None else listed.low
    high = np.inf if listed.high is None else listed.high
    return ((canonical >= low) & (canonical <= high)).tolist(), canonical.tolist()


def _fact(record: TopRecord, context: ReadContext, what: tuple[str, str | None, float], minute: list[int]) -> Fact:
    code, unit, value = what
    start, end = minute
    available, basis = availability(end, delay=context.delays["monitor"])
    return Fact(
        key=f"{record.identity.subject_id}/{code}/{record.own(start)}",
        subject_id=record.identity.subject_id,
        code=code,
        time=start,
        available_time=available,
        available_basis=basis,
        value=value,
        unit=unit,
    )
