"""What came after each row: the label of the task, and its vitals at their horizons. By ``time``, newest revisions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from clinical_jepa.forecast.labels import Series, label, onsets_by_subject, record_ends, series_of
from clinical_jepa.records.forecasts import Task
from clinical_jepa.records.instant import HOUR


def labels(events: pa.Table, task: Task, *, subject: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Float32 ``[N]``: 1 where an onset lies in (t, t + horizon], 0 where none does, NaN where it cannot be said."""
    found = onsets_by_subject(events, task)
    ends = record_ends(events)
    answers = [
        label(found.get(who, ()), at, task, ends.get(who, at))
        for who, at in zip(subject.tolist(), time.tolist(), strict=True)
    ]
    return np.array([np.nan if answer is None else answer for answer in answers], np.float32)


def targets(events: pa.Table, task: Task, *, subject: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Float32 ``[N, V, T]``: the newest charted value in (t + h - tolerance(h), t + h]; NaN where there is none."""
    charted = series_of(events, tuple(sorted(task.vitals)))
    found = np.full((len(subject), len(task.vitals), len(task.horizons)), np.nan, np.float32)
    order = np.argsort(subject, kind="stable")
    who, first = np.unique(subject[order], return_index=True)
    for one, rows in zip(who.tolist(), np.split(order, first[1:]), strict=True):
        for v, code in enumerate(task.vitals):
            series = charted.get(one, {}).get(code)
            if series is not None:
                for h, horizon in enumerate(task.horizons):
                    found[rows, v, h] = _newest(series, time[rows] + horizon, tolerance(horizon))
    return found


def tolerance(horizon: int) -> int:
    """How long before t + h a value may have been charted to count as the value at t + h: h/2, 30 min to 1 h."""
    return min(horizon, max(HOUR // 2, min(HOUR, horizon // 2)))


def _newest(series: Series, at: np.ndarray, within: int) -> np.ndarray:
    """The newest value in (at - within, at], NaN where there is none."""
    place = np.searchsorted(series.time, at, side="right") - 1
    there = np.maximum(place, 0)
    fresh = (place >= 0) & (series.time[there] > at - within)
    return np.where(fresh, series.value[there], np.nan)
