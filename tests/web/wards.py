"""The ward of the tests: eight beds, one of each kind, and a policy."""

from __future__ import annotations

import math
import random
from functools import cache

import numpy as np

from clinical_jepa.forecast.tasks import load_task
from clinical_jepa.monitor.clock import wall_us
from clinical_jepa.records.alerts import AlertState
from clinical_jepa.records.forecasts import Band, Policy, Why
from clinical_jepa.records.instant import DAY, HOUR, MINUTE, SECOND
from clinical_jepa.web.state import WardState
from tests.web.fakes import (
    FIO2,
    HR,
    LACTATE,
    MAP,
    NOREPINEPHRINE,
    NOW,
    RR,
    SPO2,
    FakeClock,
    FakeFeed,
    FakeHeartbeat,
    FakeLedger,
    FakeMessage,
    FakeStore,
    Row,
    abstention,
    alert,
    events,
    forecast,
    forecasts,
    transitions,
)

RAISED, ANSWERED, CALM, IN_EVENT, STALE, EXPIRED, NEW, SCRIPT = range(101, 109)
BAD_BED = "<script>alert(1)</script>"
BEDS = {
    RAISED: "ICU A / Bed 07",
    ANSWERED: "ICU A / Bed 02",
    CALM: "ICU A / Bed 11",
    IN_EVENT: "ICU A / Bed 04",
    STALE: "ICU A / Bed 09",
    EXPIRED: "ICU A / Bed 12",
    NEW: "ICU A / Bed 01",
    SCRIPT: BAD_BED,
}
MONITOR = {HR: "MDC//147842", MAP: "MDC//150035", RR: "MDC//151562", SPO2: "MDC//150456"}


def vitals(subject: int, *, sick: float, until: int = NOW) -> list[Row]:
    """Charted hourly, monitor every minute with a gap, getting worse with ``sick`` over the last hours."""
    noise = random.Random(subject)
    rows: list[Row] = []
    level = {HR: (84, 34), MAP: (82, -16), RR: (16, 9), SPO2: (97, -5)}
    for minute in range(14 * 60):
        at = until - 14 * HOUR + minute * MINUTE
        worse = sick * max(0.0, (minute - 8 * 60) / (6 * 60)) ** 1.5
        for code, (base, change) in level.items():
            value = base + change * worse + noise.gauss(0, 1.2) + 2 * math.sin(minute / 40)
            if not 300 < minute < 350:
                rows.append((at, MONITOR[code], min(100.0, round(value)) if code == SPO2 else round(value), None))
            if minute % 60 == 20:
                rows.append((at, code, min(100.0, round(value)) if code == SPO2 else round(value), None))
    rows.append((until - 70 * MINUTE, "LOINC//8480-6", 108.0, None))
    rows.append((until - 70 * MINUTE, "LOINC//8310-5", 38.4, None))
    return rows


def patient(subject: int, *, sick: float, until: int = NOW) -> list[dict[str, object]]:
    start = NOW - 30 * HOUR
    rows: list[Row] = [
        (start, "HOSPITAL_ADMISSION//IMP", None, None),
        (start, "TRANSFER_TO", None, BEDS[subject]),
        (NOW - 67 * 365 * DAY, "MEDS_BIRTH", None, None),
        (start, "GENDER//F", None, None),
        (start, "CONDITION//sct//233604007", None, "Pneumonia"),
        (start, "CONDITION//sct//73211009", None, "Diabetes mellitus"),
        *vitals(subject, sick=sick, until=until),
    ]
    if sick > 0.5:
        rows += [
            (NOW - hours * HOUR, LACTATE, value, None) for hours, value in ((20, 1.4), (9, 1.9), (3, 2.8), (0.7, 3.9))
        ]
        rows += [(NOW - 8 * HOUR, "LOINC//2160-0", 1.3, None), (NOW - 8 * HOUR, "LOINC//6690-2", 17.2, None)]
        rows += [(NOW - 7 * HOUR, FIO2, 28.0, None), (NOW - 2 * HOUR, FIO2, 40.0, None)]
        rows += [(NOW - 3 * HOUR, "FLUID//crystalloid", 500.0, None), (NOW - 6 * HOUR, "RXNORM//2193", 2.0, None)]
    if subject == IN_EVENT:
        rows += [(NOW - 2 * HOUR, NOREPINEPHRINE, 0.05, None), (NOW - 1 * HOUR, NOREPINEPHRINE, 0.12, None)]
    return events(subject, [(int(at), code, value, text) for at, code, value, text in rows])


def bands(at: int) -> tuple[Band, ...]:
    spread = {HR: (116, 6), MAP: (67, 4), RR: (25, 2), SPO2: (92, 1.5)}
    ahead = (30 * MINUTE, HOUR, 4 * HOUR, 8 * HOUR)
    return tuple(
        Band(
            code=code,
            at=at + later,
            low=middle - width * (1 + number),
            median=middle,
            high=middle + width * (1 + number),
        )
        for code, (middle, width) in spread.items()
        for number, later in enumerate(ahead)
    )


@cache
def rows_of_all() -> tuple[dict[str, object], ...]:
    sick = {RAISED: 1.0, ANSWERED: 0.8, IN_EVENT: 1.1}
    quiet_since = {STALE: NOW - 5 * HOUR}
    rows = (patient(subject, sick=sick.get(subject, 0.1), until=quiet_since.get(subject, NOW)) for subject in BEDS)
    return tuple(row for own in rows for row in own)


def store() -> FakeStore:
    made = FakeStore(rows=list(rows_of_all()), identifiers={subject: f"{subject:06d}" for subject in BEDS})
    made.feeds_ = [
        FakeFeed("fhir", NOW - 12 * MINUTE, 5120),
        FakeFeed("wfdb:numerics", NOW - MINUTE, 9000),
        FakeFeed("dicom", NOW - 40 * HOUR, 8),
    ]
    made.rejected, made.bases_ = 3, {"receipt-clock-fault": 2}
    add_signals(made)
    rows_, columns = np.mgrid[0:300, 0:260] / 300
    made.arrays["image"] = (
        np.clip(0.2 + 0.6 * np.exp(-((rows_ - 0.5) ** 2 + (columns - 0.4) ** 2) * 6), 0, 1).astype(np.float32).ravel()
    )
    made.images = [image(RAISED)]
    return made


def add_signals(made: FakeStore) -> None:
    for channel, rate, unit in (("ECG", 250.0, "mV"), ("PPG", 125.0, "1"), ("ABP", 125.0, "mm[Hg]")):
        count = int(60 * rate)
        phase = np.arange(count) / rate * 1.9 % 1.0
        samples = np.exp(-((phase - 0.3) ** 2) * (900 if channel == "ECG" else 30)).astype(np.float32)
        if channel == "ABP":
            samples = 62 + 46 * samples
            samples[-250:-125] = np.nan
        made.arrays[channel] = samples.astype(np.float32)
        start = NOW - 13 * MINUTE
        made.signals.append(
            {
                "subject_id": RAISED,
                "channel": channel,
                "time": start,
                "end_time": start + 60 * SECOND,
                "available_time": start + 60 * SECOND,
                "available_basis": "issued",
                "rate_hz": rate,
                "samples": count,
                "unit": unit,
                "quality": 0.97,
                "quality_reason": None,
                "reference": channel,
                "source": "wfdb",
                "event_id": channel.rjust(32, "0"),
            }
        )


def image(subject: int) -> dict[str, object]:
    at = NOW - 9 * HOUR
    return {
        "subject_id": subject,
        "time": at,
        "available_time": at + 30 * MINUTE,
        "available_basis": "delay",
        "modality": "CR",
        "view": "AP",
        "rows": 300,
        "columns": 260,
        "spacing_row_mm": 1.0,
        "spacing_column_mm": 1.0,
        "reference": "image",
        "prepared": "image",
        "source": "dicom",
        "event_id": "i" * 32,
        "fact_id": "i" * 32,
        "status": "final",
    }


def ledger() -> FakeLedger:
    raised = alert(RAISED, raised=NOW - 34 * MINUTE)
    answered = alert(
        ANSWERED, raised=NOW - 95 * MINUTE, state=AlertState.ACKNOWLEDGED, by="N. Osei, charge nurse", risk=0.38
    )
    made = FakeLedger(alerts_=[raised, answered], changes=[*transitions(raised), *transitions(answered)])
    made.told = [
        *forecasts(RAISED, 0.47, bands=bands(NOW - 4 * MINUTE)),
        *forecasts(ANSWERED, 0.38),
        *forecasts(CALM, 0.06),
        *forecasts(SCRIPT, 0.11),
        *forecasts(IN_EVENT, 0.6, newest=NOW - 2 * HOUR),
        abstention(IN_EVENT, Why.IN_EVENT, "vasopressor started"),
        abstention(STALE, Why.STALE_VITALS, "newest 5 h 0 min old"),
        *forecasts(EXPIRED, 0.22, newest=NOW - 40 * MINUTE)[:-1],
        forecast(EXPIRED, NOW - 40 * MINUTE, 0.22),
    ]
    wall = wall_us()
    made.beats = {"watch": FakeHeartbeat(wall, NOW), "relay": FakeHeartbeat(wall, NOW)}
    made.messages_ = [FakeMessage(raised.alert_id, "rapid response", raised.raised_at, raised.raised_at + MINUTE)]
    return made


def policy() -> Policy:
    none = np.zeros(0, dtype=np.float32)
    return Policy(
        policy_id="p" * 16,
        model_id="m" * 16,
        task=load_task("deterioration-8h"),
        calibration_scores=none,
        calibration_p0=none,
        calibration_p1=none,
        band_margin=np.zeros((4, 4), dtype=np.float32),
        novelty_scores=none,
        novelty_alpha=0.01,
        threshold=0.34,
        clear_below=0.25,
        clear_after=HOUR,
        silence=HOUR,
        vitals_max_age=2 * HOUR,
        expire_after=2 * HOUR,
        recipients=("rapid response",),
    )


def ward_state() -> WardState:
    return WardState(
        store=store(), ledger=ledger(), clock=FakeClock(), task=load_task("deterioration-8h"), policy=policy()
    )
