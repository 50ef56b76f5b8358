"""One patient's story and lanes from what the store and a ledger hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from clinical_jepa.evaluate import drawing
from clinical_jepa.evaluate.contents import Episode, KnownWhen, Lane, Story, Trace
from clinical_jepa.forecast.labels import Series, onsets, series_of
from clinical_jepa.records.alerts import OPEN, Transition
from clinical_jepa.records.forecasts import Forecast, Policy, Task
from clinical_jepa.records.instant import HOUR
from clinical_jepa.records.views import Window
from clinical_jepa.store.events import Store
from clinical_jepa.vocabulary.codes import Code, by_code, code_id, codes

LABS, TREATMENTS = 4, 5  # of each the most often charted are shown
KINDS = {
    "vital": "Vital signs",
    "monitor": "Monitor",
    "lab": "Laboratory",
    "treatment": "Treatments",
    "measure": "Measures",
}


def story(
    store: Store,
    window: Window,
    *,
    task: Task,
    policy: Policy,
    forecasts: Sequence[Forecast],
    transitions: Iterable[Transition] = (),
) -> Story:
    """The story of the window's subject over its span: what was seen as of ``window.as_of``, what was said and raised.

    ``forecasts`` are this patient's in order; the bands shown are those of the first alert's forecast, or the middle one.
    """
    subject, end = window.subject_id, int(window.edges[-1])
    past = store.history(subject, as_of=window.as_of)
    start = max(
        int(window.edges[0]), past.origins.get(subject, 0)
    )  # nothing is drawn of the time before anything was known
    alerts = episodes(transitions, forecasts)
    shown = _shown(forecasts, alerts)
    return Story(
        name=store.identifier(subject),
        start=start,
        end=end,
        vitals=_traces(past.events, [by_code()[code] for code in task.vitals], start, end),
        labs=_most(past.events, "lab", LABS, start, end),
        treatments=_most(past.events, "treatment", TREATMENTS, start, end),
        risk_time=np.array([one.at for one in forecasts], np.int64),
        risk=np.array([(one.risk_low, one.risk, one.risk_high) for one in forecasts]).reshape(-1, 3),
        threshold=policy.threshold,
        alerts=alerts,
        onsets=tuple((one.time, one.criterion) for one in onsets(past.events, task)),
        forecast_at=None if shown is None else shown.at,
        bands=() if shown is None else shown.bands,
        strips=window.strips,
        image=window.image,
        image_time=window.image_time,
        image_times=past.images["time"].cast(pa.int64()).to_pylist(),
    )


def episodes(transitions: Iterable[Transition], forecasts: Sequence[Forecast] = ()) -> tuple[Episode, ...]:
    """The alerts that these transitions (one patient's) make, with the first reason of the forecast that raised each."""
    by_alert: dict[str, list[Transition]] = {}
    for one in sorted(transitions, key=lambda change: change.at):
        by_alert.setdefault(one.alert_id, []).append(one)
    reasons = {one.at: one.reasons for one in forecasts}
    found = []
    for changes in by_alert.values():
        raised, last = changes[0].at, changes[-1]
        first = next(iter(reasons.get(raised, ())), None)
        why = "" if first is None else by_code()[first.code].label if first.code in by_code() else first.code
        found.append(Episode(raised=raised, ended=None if last.after in OPEN else last.at, why=why))
    return tuple(found)


def known_when(store: Store, subject: int, *, as_of: int, before: int = 6 * HOUR, after: int = 3 * HOUR) -> KnownWhen:
    """When each item around ``as_of`` was true and when it could be known, by kind; monitors thinned to one in ten."""
    end = as_of + after
    whole = store.history(subject, as_of=end)
    start = max(as_of - before, whole.origins.get(subject, as_of - before))
    times = whole.events["time"].cast(pa.int64()).fill_null(0).to_numpy()
    available = whole.events["available_time"].cast(pa.int64()).to_numpy()
    known = codes()
    kinds = np.array([known[i].kind if i < len(known) else "" for i in map(code_id, whole.events["code"].to_pylist())])
    inside = (times >= start) & (times <= end)
    lanes = []
    for kind, label in KINDS.items():
        rows = np.flatnonzero(inside & (kinds == kind))[:: 10 if kind == "monitor" else 1]
        if len(rows):
            lanes.append(Lane(label=label, time=times[rows], available=available[rows]))
    for label, table in (("Waveforms", whole.signals), ("Images", whole.images)):
        at = table["time"].cast(pa.int64()).to_numpy()
        rows = np.flatnonzero((at >= start) & (at <= end))
        if len(rows):
            came = table["available_time"].cast(pa.int64()).to_numpy()[rows]
            lanes.append(Lane(label=label, time=at[rows], available=came))
    return KnownWhen(as_of=as_of, start=start, end=end, lanes=tuple(lanes))


def _shown(forecasts: Sequence[Forecast], alerts: Sequence[Episode]) -> Forecast | None:
    if not forecasts:
        return None
    raised = {one.raised for one in alerts}
    return next((one for one in forecasts if one.at in raised), forecasts[len(forecasts) // 2])


def _most(events: pa.Table, kind: str, most: int, start: int, end: int) -> tuple[Trace, ...]:
    """The most often charted codes of a kind, in the list's order."""
    traces = _traces(events, [code for code in codes() if code.kind == kind], start, end)
    chosen = {trace.label for trace in sorted(traces, key=lambda trace: -len(trace.time))[:most]}
    return tuple(trace for trace in traces if trace.label in chosen)


def _traces(events: pa.Table, wanted: Sequence[Code], start: int, end: int) -> tuple[Trace, ...]:
    """The codes that have a value within the span, monitors beside the code they stand for."""
    monitors: dict[str, list[str]] = {}
    for code in codes():
        monitors.setdefault(code.parent or "", []).append(code.code)
    named = [code.code for code in wanted]
    series = series_of(events, tuple(sorted({*named, *(m for code in named for m in monitors.get(code, ()))})))
    mine = next(iter(series.values()), {})
    found = []
    for code in wanted:
        time, value = _within(mine, [code.code], start, end)
        monitor_time, monitor_value = _within(mine, monitors.get(code.code, [])[:1], start, end)
        if len(time):
            trace = Trace(
                label=code.label,
                unit=drawing.unit(code.unit),
                time=time,
                value=value,
                monitor_time=monitor_time,
                monitor_value=monitor_value,
            )
            found.append(trace)
    return tuple(found)


def _within(series: dict[str, Series], named: Sequence[str], start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    for code in named:
        if code in series:
            inside = (series[code].time >= start) & (series[code].time <= end)
            return series[code].time[inside], series[code].value[inside]
    return np.zeros(0, np.int64), np.zeros(0)
