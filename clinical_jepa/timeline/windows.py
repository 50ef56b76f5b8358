"""Arrivals of one subject → time-aligned tensors for page, baselines and export. Never filled, never zeroed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.instant import MINUTE
from clinical_jepa.records.views import Arrivals, Strip, Window
from clinical_jepa.timeline.columns import instants, numbers
from clinical_jepa.timeline.grid import fill


def window(
    arrivals: Arrivals,
    *,
    subject_id: int,
    as_of: int,
    start: int,
    step: int,
    codes: Sequence[str],
    load: Callable[[str], np.ndarray],
) -> Window:
    """Bins ``(start + t * step, start + (t + 1) * step]`` up to the last whole one at or before ``as_of``.

    ``arrivals`` hold the subject's rows that were available by ``as_of``. ``ValueError`` for a step below 1 µs or a
    start after ``as_of``.
    """
    if step < 1 or start > as_of:
        raise ValueError(f"a window needs step >= 1 and start <= as_of, not {step}, {start}, {as_of}")
    edges = np.arange(start, as_of + 1, step, dtype=np.int64)
    events = arrivals.events.filter(
        pc.and_(
            pc.equal(arrivals.events["subject_id"], subject_id),
            pc.is_in(arrivals.events["code"], pa.array(codes, pa.string())),
        )
    )
    values, observed, age = _aligned(events, codes, edges)
    image, image_time = _newest_image(arrivals, subject_id, load)
    return Window(
        subject_id=subject_id,
        as_of=as_of,
        edges=_frozen(edges),
        codes=tuple(codes),
        values=_frozen(values),
        observed=_frozen(observed),
        age=_frozen(age),
        strips=_strips(arrivals, subject_id, load),
        image=image,
        image_time=image_time,
        image_age=None if image_time is None else as_of - image_time,
    )


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _aligned(events: pa.Table, codes: Sequence[str], edges: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    value = numbers(events, "numeric_value")
    rows = np.flatnonzero(np.isfinite(value))
    time = instants(events, "time")
    rows = rows[np.argsort(time[rows], kind="stable")]  # rows come in order of arrival: the later one wins a tie
    return fill(time[rows], _column_numbers(events, codes)[rows], value[rows], edges, len(codes))


def _column_numbers(events: pa.Table, codes: Sequence[str]) -> np.ndarray:
    places = pc.index_in(events["code"], value_set=pa.array(codes, pa.string()))
    return np.asarray(places.fill_null(-1).to_numpy(), np.int64)


def _strips(arrivals: Arrivals, subject_id: int, load: Callable[[str], np.ndarray]) -> tuple[Strip, ...]:
    """The newest piece of each channel of the newest minute, at its own rate."""
    rows = arrivals.signals.filter(pc.equal(arrivals.signals["subject_id"], subject_id))
    if not rows.num_rows:
        return ()
    ends = instants(rows, "end_time")
    rows = rows.filter(pa.array(ends > ends.max() - MINUTE))
    strips = []
    for channel in sorted(set(rows["channel"].to_pylist())):
        mine = rows.filter(pc.equal(rows["channel"], channel)).sort_by("time")
        newest = mine.slice(mine.num_rows - 1)
        (row,) = newest.select(["rate_hz", "unit", "reference"]).to_pylist()
        strips.append(
            Strip(
                channel=channel,
                time=int(instants(newest, "time")[0]),
                rate_hz=row["rate_hz"],
                unit=row["unit"],
                samples=load(row["reference"]),
            )
        )
    return tuple(strips)


def _newest_image(
    arrivals: Arrivals, subject_id: int, load: Callable[[str], np.ndarray]
) -> tuple[np.ndarray | None, int | None]:
    rows = arrivals.images.filter(pc.equal(arrivals.images["subject_id"], subject_id))
    if not rows.num_rows:
        return None, None
    times = instants(rows, "time")
    newest = int(np.flatnonzero(times == times.max())[-1])
    (row,) = rows.slice(newest, 1).select(["rows", "columns", "reference"]).to_pylist()
    return load(row["reference"]).reshape(row["rows"], row["columns"]), int(times[newest])
