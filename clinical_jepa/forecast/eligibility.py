"""May the question be asked now? A pure fold over what was known, in arrival order, small enough to store per patient.

The fold holds, for each criterion of the task, what is needed to know whether the event is going on *as known*, and
when each forecast vital was last charted. An item older in ``time`` than a newer one of its code already seen is not
allowed to rewrite the state (a correction makes the caller fold the history again from the start).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache

import numpy as np

from clinical_jepa.records.forecasts import Criterion, Task
from clinical_jepa.records.views import Slice
from clinical_jepa.vocabulary.codes import by_code, code_count, codes


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One criterion as known: ``time`` of its newest item; ``low`` whether that was low; the ``given`` value with its
    time; ``running`` whether the treatment runs; ``held`` when the criterion last held."""

    time: int | None = None
    low: bool = False
    running: bool = False
    given: float | None = None
    given_time: int | None = None
    held: int | None = None


@dataclass(frozen=True, kw_only=True)
class Eligibility:
    """State of the fold. ``origin`` is the start of the stay's grid; ``vitals`` the newest time of each forecast code,
    charted or from a monitor."""

    origin: int | None = None
    watched: Mapping[str, Watched] = field(default_factory=dict)  # by criterion name
    vitals: Mapping[str, int] = field(default_factory=dict)  # by code

    def to_bytes(self) -> bytes:
        """Canonical JSON: equal states give equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()


def from_bytes(blob: bytes) -> Eligibility:
    """The state that ``to_bytes`` wrote; empty bytes are the empty state."""
    if not blob:
        return Eligibility()
    content = json.loads(blob)
    watched = {name: Watched(**row) for name, row in content["watched"].items()}
    return Eligibility(origin=content["origin"], watched=watched, vitals=content["vitals"])


def observe(eligibility: Eligibility, slice_: Slice, task: Task) -> Eligibility:
    """The state after the slice's items. Cutting a history into other slices (on whole minutes) gives the same state."""
    items, roles = slice_.items, _roles(task)
    watched = dict(eligibility.watched)
    for i in _told(slice_, roles):
        code, value, time = int(items.code[i]), float(items.value[i]), int(items.time[i])
        for criterion in roles.criteria[code]:
            state = watched.get(criterion.name, Watched())
            watched[criterion.name] = _see(state, criterion, code, value, time)
    vitals = {**eligibility.vitals}
    for vital, newest in _newest_vitals(slice_, task, roles).items():
        vitals[vital] = max(vitals.get(vital, newest), newest)
    return Eligibility(origin=slice_.origin, watched=watched, vitals=vitals)


def in_event(eligibility: Eligibility, now: int, task: Task) -> bool:
    """Whether the event is going on, as known at ``now``: a criterion holds, or held less than ``refractory`` ago."""
    for state in eligibility.watched.values():
        if state.running or (state.held is not None and now - state.held < task.refractory):
            return True
    return False


def vitals_age(eligibility: Eligibility, now: int) -> int | None:
    """Age in µs of the newest forecast vital, None where there never was one."""
    return max(0, now - max(eligibility.vitals.values())) if eligibility.vitals else None


@dataclass(frozen=True)
class _Roles:
    """By code id: the criteria it feeds; and, as tables to look ids up in, the place of the vital it stands for in the
    task (-1: none), whether it feeds a criterion, and whether it is a ``given`` value."""

    criteria: Mapping[int, tuple[Criterion, ...]]
    vital: np.ndarray
    told: np.ndarray
    given: np.ndarray


@cache
def _roles(task: Task) -> _Roles:
    vital, told, given = np.full(code_count(), -1), np.zeros(code_count(), bool), np.zeros(code_count(), bool)
    for code in codes():
        known = code.code if code.code in task.vitals else code.parent  # a monitor's value counts as well
        if known in task.vitals:
            vital[code.id] = task.vitals.index(known)
    criteria: dict[int, tuple[Criterion, ...]] = {}
    for criterion in task.criteria:
        for named in (criterion.code, criterion.given):
            if named is not None:
                place = by_code()[named].id
                criteria[place] = (*criteria.get(place, ()), criterion)
                told[place] = True
        if criterion.given is not None:
            given[by_code()[criterion.given].id] = True
    return _Roles(criteria, vital, told, given)


def _told(slice_: Slice, roles: _Roles) -> list[int]:
    """Places of items with a number that feed a criterion; of one moment, the ``given`` values come first."""
    items = slice_.items
    wanted = np.flatnonzero(roles.told[items.code] & np.isfinite(items.value))
    order = np.lexsort((~roles.given[items.code[wanted]], items.time[wanted], items.available[wanted]))
    return [int(i) for i in wanted[order]]


def _newest_vitals(slice_: Slice, task: Task, roles: _Roles) -> dict[str, int]:
    """The newest time of each vital in the slice; a source whose clock runs ahead must not look fresh for longer."""
    items = slice_.items
    which = roles.vital[items.code]
    rows = np.flatnonzero((which >= 0) & np.isfinite(items.value))
    if not len(rows):
        return {}
    newest = np.full(len(task.vitals), np.iinfo(np.int64).min)
    np.maximum.at(newest, which[rows], np.minimum(items.time[rows], items.available[rows]))
    return {task.vitals[i]: int(newest[i]) for i in np.unique(which[rows]).tolist()}


def _see(state: Watched, criterion: Criterion, code: int, value: float, time: int) -> Watched:
    if criterion.given is not None and code == by_code()[criterion.given].id:
        if state.given_time is not None and time < state.given_time:
            return state
        return replace(state, given=value, given_time=time)
    if state.time is not None and time < state.time:
        return state
    if criterion.kind == "start":
        held = time if value > 0 or state.running else state.held
        return replace(state, time=time, running=value > 0, held=held)
    low = criterion.below is not None and value < criterion.below
    holds = low and (state.low if criterion.kind == "low-twice" else _under(state, criterion, time))
    return replace(state, time=time, low=low, held=time if holds else state.held)


def _under(state: Watched, criterion: Criterion, time: int) -> bool:
    """Whether the given value is high enough and not too old at ``time``."""
    if state.given is None or state.given_time is None or criterion.at_least is None:
        return False
    fresh = criterion.given_age is None or 0 <= time - state.given_time <= criterion.given_age
    return fresh and state.given >= criterion.at_least
