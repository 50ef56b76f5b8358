"""What a tick carries from one instant to the next for each patient, and what it commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clinical_jepa.records.alerts import Alert, Message, Transition
from clinical_jepa.records.forecasts import Abstention, Forecast, Memory


@dataclass(frozen=True, kw_only=True)
class Stay:
    """Who lies where, as known at one instant."""

    subject_id: int
    encounter_id: str | None
    bed: str | None
    admitted: int  # when known to be here


@dataclass(frozen=True, kw_only=True)
class Patient:
    """The monitor's own memory of one patient; ``eligibility`` is JSON of ``forecast.eligibility.Eligibility``."""

    subject_id: int
    encounter_id: str | None
    cursor: int
    alert: Alert | None  # the open one
    last_alert_end: int | None
    eligibility: bytes


@dataclass(frozen=True, kw_only=True)
class Advance:
    """What one instant does to one patient."""

    patient: Patient
    outcome: Forecast | Abstention
    transitions: tuple[Transition, ...]
    messages: tuple[Message, ...]


@dataclass(frozen=True, kw_only=True)
class TickCommit:
    """Everything one tick writes, in one transaction or not at all."""

    now: int
    since: int
    watermark: int  # number of store commits the tick read
    memories: tuple[Memory, ...]
    advances: tuple[Advance, ...]
    arrivals: int
    late_rows: int
    replayed: int
    rewound: Mapping[int, int] = field(default_factory=dict)  # Arrivals.rewind: later snapshots of these are wrong


@dataclass(frozen=True, kw_only=True)
class TickReport:
    """What a tick did, for people and logs."""

    now: int
    already_done: bool
    patients: int
    arrivals: int
    forecasts: int
    abstentions: int
    transitions: int
    messages: int
    replayed: int
