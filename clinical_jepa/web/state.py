"""What the page needs from the rest of the program, as narrow protocols: the store, the ledger and the ward clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from clinical_jepa.records.alerts import Acknowledgement, Alert, Transition
from clinical_jepa.records.forecasts import Abstention, Forecast, Policy, Task
from clinical_jepa.records.views import Arrivals


class Clock(Protocol):
    """The ward clock; ``speed`` is ward seconds in one second of the wall."""

    @property
    def simulated(self) -> bool: ...
    @property
    def speed(self) -> float: ...
    @property
    def description(self) -> str: ...
    def now(self) -> int: ...


class Feed(Protocol):
    """One source: its newest available instant (ward time) and its number of rows."""

    @property
    def source(self) -> str: ...
    @property
    def newest_available(self) -> int: ...
    @property
    def rows(self) -> int: ...


class StoreView(Protocol):
    """The reads of ``store.events.Store`` that the page uses; each is as of an instant."""

    @property
    def watermark(self) -> int: ...
    def reload(self) -> object: ...
    def arrivals(self, since: int, until: int) -> Arrivals: ...
    def history(self, subject_id: int, *, as_of: int) -> Arrivals: ...
    def with_codes(self, prefixes: Sequence[str], as_of: int) -> pa.Table: ...
    def extents(self, as_of: int) -> Mapping[int, tuple[int, int]]: ...
    def samples(self, reference: str) -> np.ndarray: ...
    def identifier(self, subject_id: int) -> str: ...
    def feeds(self, as_of: int) -> Sequence[Feed]: ...
    def rejections(self) -> pa.Table: ...
    def bases(self, as_of: int) -> Mapping[str, int]: ...


class Heartbeat(Protocol):
    """A sign of life: ``wall`` by wall time, ``ward_now`` by the ward clock; both µs."""

    @property
    def wall(self) -> int: ...
    @property
    def ward_now(self) -> int: ...


class Routed(Protocol):
    """A message and what became of it; ``expired_at``: it was given up because it was not valid any more."""

    @property
    def alert_id(self) -> str: ...
    @property
    def recipient(self) -> str: ...
    @property
    def created_at(self) -> int: ...
    @property
    def delivered_at(self) -> int | None: ...
    @property
    def expired_at(self) -> int | None: ...
    @property
    def attempts(self) -> int: ...


class LedgerView(Protocol):
    """The reads of ``store.ledger.Ledger`` that the page uses, and its one write."""

    def outcomes(self, *, since: int, subject_id: int | None = None) -> Sequence[Forecast | Abstention]: ...
    def alerts(self, open_only: bool = False) -> Sequence[Alert]: ...
    def transitions(self, alert_id: str | None = None) -> Sequence[Transition]: ...
    def answered(self) -> Sequence[tuple[Acknowledgement, int | None]]: ...
    def acknowledge(self, acknowledgement: Acknowledgement) -> None: ...
    def heartbeats(self) -> Mapping[str, Heartbeat]: ...
    def messages(self) -> Sequence[Routed]: ...


def wall_us() -> int:
    """Microseconds since the epoch by the wall clock."""
    return time.time_ns() // 1000


@dataclass(frozen=True, kw_only=True)
class WardState:
    """Everything ``create_app`` reads from; ``policy`` is null before a model was fitted."""

    store: StoreView
    ledger: LedgerView
    clock: Clock
    task: Task
    policy: Policy | None
    wall: Callable[[], int] = wall_us
