"""A small ward made by hand: a store, a ledger and a clock that hold just what the page asks for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.alerts import OPEN, Acknowledgement, Alert, AlertState, Cause, Transition
from clinical_jepa.records.events import EVENTS, IMAGES, SIGNALS
from clinical_jepa.records.forecasts import Abstention, Band, Forecast, Reason, Why
from clinical_jepa.records.instant import BEGINNING, HOUR, MINUTE
from clinical_jepa.records.views import Arrivals

NOW = 1_767_643_200_000_000  # 2026-01-05T20:00:00Z
HR, MAP, RR, SPO2 = "LOINC//8867-4", "LOINC//8478-0", "LOINC//9279-1", "LOINC//59408-5"
LACTATE, NOREPINEPHRINE, FIO2 = "LOINC//2524-7", "RXNORM//7512", "LOINC//3150-6"
TASK = "deterioration-8h"

Row = tuple[int, str, float | None, str | None]  # time, code, value, text


@dataclass
class FakeClock:
    instant: int = NOW
    simulated: bool = True
    speed: float = 1.0
    description: str = "simulated from 2026-01-05 08:00 UTC"

    def now(self) -> int:
        return self.instant


@dataclass(frozen=True)
class FakeFeed:
    source: str
    newest_available: int
    rows: int


@dataclass(frozen=True)
class FakeHeartbeat:
    wall: int
    ward_now: int


@dataclass(frozen=True)
class FakeMessage:
    alert_id: str
    recipient: str
    created_at: int
    delivered_at: int | None
    attempts: int = 0
    expired_at: int | None = None


def events(subject: int, rows: Iterable[Row]) -> list[dict[str, object]]:
    return [
        {
            "subject_id": subject,
            "time": time,
            "code": code,
            "numeric_value": value,
            "text_value": text,
            "available_time": max(time, NOW - 30 * HOUR),
            "available_basis": "issued",
            "unit": None,
            "encounter_id": f"enc-{subject}",
            "source": "fhir",
            "event_id": f"{subject:08x}{number:024x}",
            "fact_id": f"{subject:08x}{number:024x}",
            "status": "final",
        }
        for number, (time, code, value, text) in enumerate(rows)
    ]


@dataclass
class FakeStore:
    rows: list[dict[str, object]]
    identifiers: dict[int, str]
    signals: list[dict[str, object]] = field(default_factory=list)
    images: list[dict[str, object]] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    feeds_: list[FakeFeed] = field(default_factory=list)
    rejected: int = 0
    bases_: dict[str, int] = field(default_factory=dict)
    watermark: int = 1
    _tables: dict[tuple[int, int], pa.Table] = field(default_factory=dict)

    def reload(self) -> None:
        return None

    def _visible(self, since: int, until: int, subject: int | None) -> Arrivals:
        def seen(rows: list[dict[str, object]], schema: pa.Schema) -> pa.Table:
            table = self._tables.get((id(rows), len(rows)))
            if table is None:
                ordered = sorted(rows, key=lambda row: (row["available_time"], row["time"]))
                table = self._tables[id(rows), len(rows)] = pa.Table.from_pylist(ordered, schema=schema)
            available = table["available_time"].cast(pa.int64())
            kept = pc.and_(pc.greater(available, since), pc.less_equal(available, until))
            return table.filter(kept if subject is None else pc.and_(kept, pc.equal(table["subject_id"], subject)))

        return Arrivals(
            since=since,
            until=until,
            events=seen(self.rows, EVENTS),
            signals=seen(self.signals, SIGNALS),
            images=seen(self.images, IMAGES),
            origins={found: since for found in {row["subject_id"] for row in self.rows} if subject in (None, found)},
            rewind={},
            late_rows=0,
            watermark=self.watermark,
        )

    def arrivals(self, since: int, until: int) -> Arrivals:
        return self._visible(since, until, None)

    def history(self, subject_id: int, *, as_of: int) -> Arrivals:
        return self._visible(BEGINNING, as_of, subject_id)

    def with_codes(self, prefixes: Sequence[str], as_of: int) -> pa.Table:
        table = self._visible(BEGINNING, as_of, None).events
        return table.filter(
            pa.array([code.startswith(tuple(prefixes)) for code in table["code"].to_pylist()], pa.bool_())
        )

    def extents(self, as_of: int, since: int) -> Mapping[int, tuple[int, int]]:
        times: dict[int, list[int]] = {}
        for row in self.rows:
            if row["available_time"] <= as_of:
                times.setdefault(row["subject_id"], []).append(row["available_time"])
        return {subject: (min(own), max(own)) for subject, own in times.items()}

    def samples(self, reference: str) -> np.ndarray:
        return self.arrays[reference]

    def identifier(self, subject_id: int) -> str:
        return self.identifiers.get(subject_id, str(subject_id))

    def feeds(self, as_of: int) -> Sequence[FakeFeed]:
        return self.feeds_

    @property
    def refusals(self) -> int:
        return self.rejected

    def bases(self, as_of: int) -> Mapping[str, int]:
        return self.bases_


@dataclass
class FakeLedger:
    told: list[Forecast | Abstention] = field(default_factory=list)
    alerts_: list[Alert] = field(default_factory=list)
    changes: list[Transition] = field(default_factory=list)
    pending: list[Acknowledgement] = field(default_factory=list)
    beats: dict[str, FakeHeartbeat] = field(default_factory=dict)
    messages_: list[FakeMessage] = field(default_factory=list)

    def outcomes(self, *, since: int, subject_id: int | None = None) -> Sequence[Forecast | Abstention]:
        return [outcome for outcome in self.told if outcome.at >= since and subject_id in (None, outcome.subject_id)]

    def alerts(self, open_only: bool = False, *, since: int = BEGINNING) -> Sequence[Alert]:
        return [alert for alert in self.alerts_ if alert.raised_at >= since and (not open_only or alert.state in OPEN)]

    def transitions(self, alert_id: str | None = None) -> Sequence[Transition]:
        return [change for change in self.changes if alert_id in (None, change.alert_id)]

    def answered(self) -> Sequence[tuple[Acknowledgement, int | None]]:
        return [(ack, None) for ack in self.pending]

    def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        self.pending.append(acknowledgement)

    def heartbeats(self) -> Mapping[str, FakeHeartbeat]:
        return self.beats

    def messages(self) -> Sequence[FakeMessage]:
        return self.messages_


def risk_curve(end: float, hours: int = 8) -> list[float]:
    count = hours * 4
    return [max(0.005, end * (number / count) ** 2 + 0.02 * math.sin(number)) for number in range(1, count)] + [end]


def forecasts(
    subject: int, end: float, *, newest: int = NOW - 4 * MINUTE, bands: tuple[Band, ...] = ()
) -> list[Forecast]:
    curve = risk_curve(end)
    times = [newest - 15 * MINUTE * (len(curve) - 1 - number) for number in range(len(curve))]
    told = [forecast(subject, at, risk) for at, risk in zip(times, curve, strict=True)]
    return [*told[:-1], replace(told[-1], bands=bands)]


def forecast(subject: int, at: int, risk: float) -> Forecast:
    return Forecast(
        subject_id=subject,
        at=at,
        task=TASK,
        risk=risk,
        risk_low=risk * 0.7,
        risk_high=min(0.99, risk * 1.4 + 0.01),
        bands=(),
        valid_until=at + 30 * MINUTE,
        reasons=REASONS,
        model_id="m" * 16,
        policy_id="p" * 16,
    )


def abstention(subject: int, why: Why, detail: str, at: int = NOW - 4 * MINUTE) -> Abstention:
    return Abstention(
        subject_id=subject,
        at=at,
        task=TASK,
        why=why,
        detail=detail,
        valid_until=at + 30 * MINUTE,
        model_id="m" * 16,
        policy_id="p" * 16,
    )


def alert(
    subject: int, *, raised: int, state: AlertState = AlertState.RAISED, by: str | None = None, risk: float = 0.47
) -> Alert:
    return Alert(
        alert_id=f"a{subject:015x}",
        subject_id=subject,
        encounter_id=f"enc-{subject}",
        task=TASK,
        state=state,
        raised_at=raised,
        changed_at=raised if by is None else raised + 9 * MINUTE,
        assessed_at=raised,
        risk=risk,
        peak_risk=risk + 0.04,
        below_since=None,
        due_at=raised + 60 * MINUTE,
        reasons=REASONS,
        acknowledged_by=by,
    )


def transitions(alert: Alert) -> list[Transition]:
    first = Transition(
        alert_id=alert.alert_id,
        subject_id=alert.subject_id,
        at=alert.raised_at,
        before=None,
        after=AlertState.RAISED,
        cause=Cause.RISK_ABOVE_THRESHOLD,
        actor=None,
        risk=alert.risk,
    )
    if alert.acknowledged_by is None:
        return [first]
    second = replace(
        first,
        at=alert.changed_at,
        before=AlertState.RAISED,
        after=AlertState.ACKNOWLEDGED,
        cause=Cause.ACKNOWLEDGED_BY_PERSON,
        actor=alert.acknowledged_by,
    )
    return [first, second]


REASONS = (
    Reason(code=LACTATE, value=3.9, age=40 * MINUTE, weight=0.9),
    Reason(code=MAP, value=68.0, age=3 * MINUTE, weight=0.6),
    Reason(code=HR, value=118.0, age=1 * MINUTE, weight=0.4),
    Reason(code=FIO2, value=28.0, age=2 * HOUR, weight=-0.1),
)
