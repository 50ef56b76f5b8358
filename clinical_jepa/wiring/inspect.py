"""What is in the store, for a person: its files, subjects, aligned timelines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import END, HOUR
from clinical_jepa.wiring import compose
from clinical_jepa.wiring.settings import Settings

if TYPE_CHECKING:
    from clinical_jepa.records.views import Window


def compact(settings: Settings) -> dict[str, int]:
    """Merges the store's files and lays its rows by subject; how many rows it has, and files of them before and after."""
    store = compose.store(settings)
    before = store.segments
    store.compact()
    return {"rows": store.rows, "files_before": before, "files": store.segments}


def subjects(settings: Settings, as_of: str | None) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Rows by subject, and how many rows known then rest on each basis of availability."""
    store = compose.store(settings)
    then = END if as_of is None else compose.instant(as_of)
    rows = store.subjects(then).to_pylist()
    return [{key: _text(value) for key, value in row.items()} for row in rows], store.bases(then)


def _text(value: Any) -> Any:
    return value.isoformat(sep=" ", timespec="minutes") if hasattr(value, "isoformat") else value


def timeline(
    settings: Settings, subject: str, *, step: str, hours: float, as_of: str | None, variables: Sequence[str] = ()
) -> Window:
    """The aligned window of a subject: whole bins of its one grid, the last of them over at ``as_of``.

    The edges lie whole steps from the subject's origin, whatever is asked. Without ``as_of`` everything is known, and the
    last bin is the one in which the last of it came.

    ``variables`` are short names or codes, in the order of the columns; none: all that are known of the subject.
    """
    from clinical_jepa.forecast.tasks import parse_duration
    from clinical_jepa.timeline.grid import line
    from clinical_jepa.timeline.windows import window

    store = compose.store(settings)
    subject_id = store.identify(subject)
    arrivals = store.history(subject_id, as_of=END if as_of is None else compose.instant(as_of))
    if not any(table.num_rows for table in (arrivals.events, arrivals.signals, arrivals.images)):
        raise BadRequest("nothing was known of this subject then; leave out --as-of, or give a later one")
    if hours <= 0:
        raise BadRequest(f"--hours {hours:g}: a length above 0 is meant, like 24")
    if not (width := parse_duration(step, "--step")):
        raise BadRequest("--step: bins need a width above 0, like 15m or 1h")
    origin = arrivals.origins[subject_id]
    end = compose.instant(as_of) if as_of else line(origin, width, _last(arrivals) - 1) + width
    start = line(origin, width, end) - math.ceil(hours * HOUR / width) * width
    return window(
        arrivals,
        subject_id=subject_id,
        as_of=end,
        start=start,
        step=width,
        codes=_chosen(arrivals, variables),
        load=store.samples,
    )


def _chosen(arrivals: Any, variables: Sequence[str]) -> list[str]:
    """The codes of these variables; ``BadRequest`` for one of which nothing is known. By default all, vital signs first."""
    from clinical_jepa.vocabulary.codes import by_code
    from clinical_jepa.wiring.timeline_forms import name_of

    known = by_code()
    found = set(arrivals.events.filter(_numeric(arrivals.events))["code"].to_pylist())
    every = sorted(found, key=lambda code: (known[code].id if code in known else END, code))
    by_name = {name_of(code): code for code in every} | {code: code for code in every}
    for name in variables:
        if name not in by_name:
            there = ", ".join(map(name_of, every)) or "no number"
            raise BadRequest(f"--variables: of {name!r} nothing is known of this subject then; there is: {there}")
    return list(dict.fromkeys(by_name[name] for name in variables)) or every


def _numeric(table: Any) -> Any:
    import pyarrow.compute as pc

    return pc.is_valid(table["numeric_value"])


def _last(arrivals: Any) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    tables = (arrivals.events, arrivals.signals, arrivals.images)
    return int(max(pc.max(table["available_time"].cast(pa.int64())).as_py() for table in tables if table.num_rows))
