"""Alerts against events: caught, true, lead time, burden (circEWS counting, Nature Medicine 2020).

An event is caught when an alert lies in [onset - horizon, onset); it counts only where the question was asked in that
time. An alert is true when an onset lies in (t, t + horizon], and undecided where the record ends before that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from clinical_jepa.forecast.labels import Onset
from clinical_jepa.records.instant import DAY, HOUR


@dataclass(frozen=True, kw_only=True)
class Watch:
    """One patient: alerts raised, events that came, when the question was asked, and how far the record reaches."""

    alerts: Sequence[int]
    onsets: Sequence[Onset]
    asked: Sequence[int]  # ascending instants at which a forecast was given
    last_time: int


@dataclass(frozen=True, kw_only=True)
class Burden:
    """Counts over patients; ``leads`` in hours, one for each caught event. Rates are NaN where nothing was counted."""

    patients: int
    events: int
    caught: int
    alerts: int
    true_alerts: int
    false_alerts: int
    undecided: int
    patient_days: float  # of eligible time: asked instants times their spacing
    leads: tuple[float, ...]

    @property
    def recall(self) -> float:
        """Share of events caught."""
        return self.caught / self.events if self.events else math.nan

    @property
    def precision(self) -> float:
        """Share of decided alerts that were true."""
        decided = self.true_alerts + self.false_alerts
        return self.true_alerts / decided if decided else math.nan

    @property
    def per_patient_day(self) -> float:
        """Alerts delivered for each day of eligible patient time."""
        return self.alerts / self.patient_days if self.patient_days else math.nan

    @property
    def median_lead(self) -> float:
        """Median hours from the first true alert to the onset, caught events only."""
        return float(np.median(self.leads)) if self.leads else math.nan


def count(watches: Iterable[Watch], *, horizon: int, spacing: int) -> Burden:
    """The burden over patients; ``spacing`` is the time between two questions."""
    patients = events = caught = alerts = 0
    verdicts = {True: 0, False: 0, None: 0}
    asked, leads = 0, []
    for watch in watches:
        patients += 1
        alerts += len(watch.alerts)
        asked += len(watch.asked)
        for alert in watch.alerts:
            verdicts[_verdict(alert, watch, horizon)] += 1
        for onset in watch.onsets:
            if not _any_in(watch.asked, onset.time - horizon, onset.time):
                continue
            events += 1
            first = min((a for a in watch.alerts if onset.time - horizon <= a < onset.time), default=None)
            if first is not None:
                caught += 1
                leads.append((onset.time - first) / HOUR)
    return Burden(
        patients=patients,
        events=events,
        caught=caught,
        alerts=alerts,
        true_alerts=verdicts[True],
        false_alerts=verdicts[False],
        undecided=verdicts[None],
        patient_days=asked * spacing / DAY,
        leads=tuple(leads),
    )


def raised(times: Sequence[int], risks: Sequence[float], *, threshold: float, silence: int) -> list[int]:
    """When alerts are raised: at the first risk >= threshold, and again at the first one ``silence`` or more later.

    This is the rule by which all scores are compared at equal burden; the ward's own life cycle adds clearing.
    """
    found: list[int] = []
    for time, risk in zip(times, risks, strict=True):
        if risk >= threshold and (not found or time - found[-1] >= silence):
            found.append(time)
    return found


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When an alert is raised and when it ends, as in ``records.forecasts.Policy``. Times in µs."""

    threshold: float
    clear_below: float
    clear_after: int
    silence: int
    expire_after: int


def episodes(times: Sequence[int], risks: Sequence[float], rules: Rules, onsets: Sequence[Onset] = ()) -> list[int]:
    """When the ward's life cycle would raise alerts, were nobody to answer: one open at a time, then silence.

    An alert ends when the risk has stayed below ``clear_below`` for ``clear_after``, when the event begins, or when it
    expires. It is what thresholds are chosen with; the backtest of the ward itself has the last word.
    """
    found: list[int] = []
    opened = below_since = ended = None
    for time, risk in zip(times, risks, strict=True):
        if opened is not None:
            below_since = None if risk >= rules.clear_below else time if below_since is None else below_since
            cleared = below_since is not None and time - below_since >= rules.clear_after
            came = any(opened < onset.time <= time for onset in onsets)
            if cleared or came or time - opened >= rules.expire_after:
                opened, below_since, ended = None, None, time
        elif risk >= rules.threshold and (ended is None or time - ended >= rules.silence):
            opened = time
            found.append(time)
    return found


def _verdict(alert: int, watch: Watch, horizon: int) -> bool | None:
    if any(alert < onset.time <= alert + horizon for onset in watch.onsets):
        return True
    return False if watch.last_time >= alert + horizon else None


def _any_in(ascending: Sequence[int], low: int, high: int) -> bool:
    """Whether an element lies in [low, high)."""
    first = np.searchsorted(ascending, low, side="left")
    return bool(first < len(ascending) and ascending[int(first)] < high)
