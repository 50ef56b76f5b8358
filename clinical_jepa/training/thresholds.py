"""The alert threshold that catches most events at a bearable price, by replaying the rules.

Two prices bind: alerts per patient-day, and the share of alerts that an event follows. The first alone does not: where nearly
everyone has an open alert, few new ones are raised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clinical_jepa.forecast.alert_counting import Burden, Rules, Watch, count, episodes
from clinical_jepa.forecast.labels import Onset, onsets_by_subject, record_ends
from clinical_jepa.records.forecasts import Task
from clinical_jepa.records.instant import BEGINNING, END, HOUR
from clinical_jepa.store.events import Store
from clinical_jepa.training.anchors import Anchors

Template = Callable[[float], Rules]
CANDIDATES = 60
NEVER = 1.0  # a threshold no calibrated risk reaches where calibration has both classes


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The threshold, the burden it gave on the patients it was chosen on, and a line about it."""

    threshold: float
    burden: Burden
    note: str


@dataclass(frozen=True, kw_only=True)
class Price:
    """What alerts may cost: ``budget`` alerts per patient-day at most, and at least ``precision`` of them true."""

    budget: float
    precision: float

    def met(self, burden: Burden) -> bool:
        """Whether there are alerts, and they keep to both."""
        return bool(burden.alerts) and burden.per_patient_day <= self.budget and burden.precision >= self.precision


def choose(rows: Anchors, risks: np.ndarray, *, store: Store, task: Task, price: Price, rules: Template) -> Choice:
    """The lowest threshold, coming from above, that meets the price. Where none does, none is raised, and the note says so."""
    patients = _patients(rows, risks, store, task)
    tried = None
    for threshold in _candidates(risks):
        burden = _burden(patients, rules(threshold), task)
        if price.met(burden):
            tried = threshold, burden
        elif tried is not None:
            break
    terms = f"{price.budget:g} alerts per patient-day with at least {price.precision:.0%} of them true"
    if tried is None:
        nothing = _burden(patients, rules(NEVER + 1), task)
        return Choice(threshold=NEVER, burden=nothing, note=f"no threshold keeps to {terms}")
    note = f"lowest threshold within {terms} on {len(patients)} patients"
    return Choice(threshold=float(tried[0]), burden=tried[1], note=note)


@dataclass(frozen=True, kw_only=True)
class _Patient:
    times: list[int]
    risks: list[float]
    onsets: tuple[Onset, ...]
    last_time: int


def _patients(rows: Anchors, risks: np.ndarray, store: Store, task: Task) -> list[_Patient]:
    found: dict[int, tuple[Onset, ...]] = {}
    ends: dict[int, int] = {}
    for reader in store.readers():
        events = reader.arrivals(BEGINNING, END).events
        found |= onsets_by_subject(events, task)
        ends |= record_ends(events)
    patients = []
    for subject in np.unique(rows.subject).tolist():
        mine = np.flatnonzero(rows.subject == subject)
        times = rows.time[mine].tolist()
        known = _Patient(
            times=times,
            risks=risks[mine].tolist(),
            onsets=found.get(subject, ()),
            last_time=ends.get(subject, times[-1]),
        )
        patients.append(known)
    return patients


def _candidates(risks: np.ndarray) -> list[float]:
    """Distinct risks to try, from the highest down, dense at the top."""
    if not len(risks):
        return []
    shares = 1 - np.geomspace(1e-4, 1.0, CANDIDATES)
    return sorted({float(x) for x in np.quantile(risks, shares, method="higher") if x > 0}, reverse=True)


def _burden(patients: list[_Patient], rules: Rules, task: Task) -> Burden:
    watches = [
        Watch(
            alerts=episodes(one.times, one.risks, rules, one.onsets),
            onsets=one.onsets,
            asked=one.times,
            last_time=one.last_time,
        )
        for one in patients
    ]
    return count(watches, horizon=task.horizon, spacing=HOUR)
