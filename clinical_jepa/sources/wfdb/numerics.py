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
from clinical_jepa.sources.rows import Fact, Origin, Rows
from clinical_jepa.sources.wfdb.mapping import Target, target, ucum
from clinical_jepa.sources.wfdb.record import TopRecord
from clinical_jepa.sources.wfdb.segments import Fragment, Trace

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
        for name, unit, values in _columns(part):
            for frame in np.flatnonzero(np.isfinite(values)).tolist():
                _add(rows, record, context, (name, unit), (part.start + frame, float(values[frame])))
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


def _add(
    rows: Rows, record: TopRecord, context: ReadContext, signal: tuple[Target, str | None], sample: tuple[int, float]
) -> None:
    found, unit = signal
    frame, value = sample
    subject, time = record.identity.subject_id, record.instant(frame)
    available, basis = availability(record.instant(frame + 1), delay=context.delays.get("monitor", 0))
    fact = Fact(
        key=f"{subject}/{found.target}/{time}",
        subject_id=subject,
        code=found.target,
        time=time,
        available_time=available,
        available_basis=basis,
        value=value,
        unit=unit,
    )
    rows.add(fact, Origin(source=SOURCE, file=record.path.name, record=f"{record.path.stem} {found.name} #{frame}"))
