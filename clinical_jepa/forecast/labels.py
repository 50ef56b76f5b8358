"""What really happened: onsets of the event on the newest revisions, by ``time``, and the label of an anchor.

A criterion holds over intervals: from the first to the last of at least two consecutive low values; while a treatment
runs; at each low value under a given one. Intervals closer than ``refractory`` are one event. The label of t is 1 when
an onset lies in (t, t + horizon], 0 when none does, None where the record ends before t + horizon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.forecasts import Criterion, Task

Interval = tuple[int, int, str]  # first, last, name of the criterion


@dataclass(frozen=True, kw_only=True)
class Onset:
    """One event: when it began, by which criterion, and when a criterion last held (µs)."""

    time: int
    criterion: str
    end: int


@dataclass(frozen=True)
class Series:
    """Charted numbers of one code of one subject, ascending in time."""

    time: np.ndarray  # int64 µs
    value: np.ndarray  # float64


def onsets(events: pa.Table, task: Task) -> tuple[Onset, ...]:
    """The onsets of one subject's events (newest revisions), in order of time."""
    return onsets_by_subject(events, task).get(_only_subject(events), ())


def onsets_by_subject(events: pa.Table, task: Task) -> dict[int, tuple[Onset, ...]]:
    """The onsets of every subject that has any, from one pass over a table of many subjects."""
    named = {code for criterion in task.criteria for code in (criterion.code, criterion.given) if code is not None}
    ends = record_ends(events)
    series = series_of(events, tuple(sorted(named)))
    found = {
        subject: _merge(_held(charted, task, ends[subject]), task.refractory) for subject, charted in series.items()
    }
    return {subject: merged for subject, merged in found.items() if merged}


def series_of(events: pa.Table, wanted: tuple[str, ...]) -> dict[int, dict[str, Series]]:
    """Finite numbers with a time, by subject and code, ascending in time (ties: event_id)."""
    keep = pc.and_(pc.is_in(events["code"], pa.array(wanted, pa.string())), pc.is_finite(events["numeric_value"]))
    keep = pc.fill_null(pc.and_(keep, pc.is_valid(events["time"])), False)
    table = events.select(["subject_id", "code", "time", "event_id", "numeric_value"]).filter(keep)
    table = table.sort_by([(name, "ascending") for name in ("subject_id", "code", "time", "event_id")])
    subject = table["subject_id"].to_numpy()
    code = pc.index_in(table["code"], pa.array(wanted, pa.string())).to_numpy()
    time = table["time"].cast(pa.int64()).to_numpy()
    value = table["numeric_value"].to_numpy().astype(np.float64)
    edges = np.flatnonzero(np.diff(subject) | np.diff(code)) + 1
    found: dict[int, dict[str, Series]] = {}
    for first, last in zip([0, *edges], [*edges, len(subject)], strict=True):
        if last > first:
            charted = Series(time[first:last], value[first:last])
            found.setdefault(int(subject[first]), {})[wanted[int(code[first])]] = charted
    return found


def record_ends(events: pa.Table) -> dict[int, int]:
    """The newest ``time`` of each subject: up to there its record can speak of what happened."""
    table = events.group_by("subject_id").aggregate([("time", "max")])
    ends = zip(table["subject_id"].to_pylist(), table["time_max"].cast(pa.int64()).to_pylist(), strict=True)
    return {subject: end for subject, end in ends if end is not None}


def label(found: tuple[Onset, ...], t: int, task: Task, last_time: int) -> int | None:
    """1, 0, or None: in an event or its refractory time at t, or the record ends before t + horizon.

    An onset in a record that ends early gives no 1: its neighbours without one give no 0, and the end of a stay alone
    would then foretell the event.
    """
    if last_time < t + task.horizon or any(onset.time <= t < onset.end + task.refractory for onset in found):
        return None
    return int(any(t < onset.time <= t + task.horizon for onset in found))


def _only_subject(events: pa.Table) -> int:
    subjects = pc.unique(events["subject_id"]).to_pylist()
    if len(subjects) > 1:
        raise ValueError(f"one subject's events are expected, {len(subjects)} subjects were given")
    return int(subjects[0]) if subjects else 0


def _held(charted: Mapping[str, Series], task: Task, record_end: int) -> list[Interval]:
    """All intervals over which a criterion held, unsorted."""
    found: list[Interval] = []
    for criterion in task.criteria:
        series = charted.get(criterion.code)
        if series is None:
            continue
        if criterion.kind == "low-twice":
            spans = _runs(series.time, series.value < criterion.below)
        elif criterion.kind == "start":
            spans = _running(series, record_end)
        else:
            low = series.time[_low_under(series, charted.get(criterion.given or ""), criterion)]
            spans = [(at, at) for at in low.tolist()]
        found += [(first, last, criterion.name) for first, last in spans]
    return found


def _runs(time: np.ndarray, true: np.ndarray) -> list[tuple[int, int]]:
    """First and last time of each run of at least two consecutive true points."""
    change = np.flatnonzero(np.diff(np.concatenate(([0], true.astype(np.int8), [0]))))
    return [(int(time[a]), int(time[b - 1])) for a, b in change.reshape(-1, 2) if b - a >= 2]


def _running(series: Series, record_end: int) -> list[tuple[int, int]]:
    """From each start of a rate above 0 to the value that ended it (or to the record's end)."""
    spans = []
    start: int | None = None
    for time, value in zip(series.time.tolist(), series.value.tolist(), strict=True):
        if value > 0 and start is None:
            start = time
        elif value <= 0 and start is not None:
            spans.append((start, time))
            start = None
    return spans if start is None else [*spans, (start, record_end)]


def _low_under(series: Series, given: Series | None, criterion: Criterion) -> np.ndarray:
    """Where the value is low while the newest given value, not too old, is high enough; bool ``[N]``."""
    low = series.value < criterion.below
    if given is None:
        return np.zeros_like(low)
    newest = np.searchsorted(given.time, series.time, side="right") - 1
    at = np.maximum(newest, 0)
    enough = (newest >= 0) & (given.value[at] >= criterion.at_least)
    return low & enough & (series.time - given.time[at] <= (criterion.given_age or np.iinfo(np.int64).max))


def _merge(held: list[Interval], refractory: int) -> tuple[Onset, ...]:
    """Intervals joined where the next begins before the refractory time of the last is over."""
    merged: list[Onset] = []
    for first, last, name in sorted(held):
        if merged and first < merged[-1].end + refractory:
            merged[-1] = Onset(time=merged[-1].time, criterion=merged[-1].criterion, end=max(merged[-1].end, last))
        else:
            merged.append(Onset(time=first, criterion=name, end=last))
    return tuple(merged)
