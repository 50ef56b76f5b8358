"""Small builders: items of a slice, and event tables, from plain tuples."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from clinical_jepa.forecast.policies import seal
from clinical_jepa.forecast.tasks import load_task
from clinical_jepa.records.events import EVENTS
from clinical_jepa.records.forecasts import Policy
from clinical_jepa.records.instant import MINUTE
from clinical_jepa.records.views import PATCH_CHANNELS, PATCH_SAMPLES, Items, Patches, Pictures, Slice
from clinical_jepa.vocabulary.codes import by_name, code_id

START = 1_767_600_000_000_000  # 2026-01-05T08:00Z


def minute(number: float) -> int:
    """The instant so many minutes after START."""
    return START + round(number * MINUTE)


def build_slice(rows, *, since=0, now=None, origin=START) -> Slice:
    """A slice of (name, minute, value[, minute available]) rows in arrival order, those with since < available <= now."""
    rows = [(name, minute(at), value, minute(rest[0]) if rest else minute(at)) for name, at, value, *rest in rows]
    now = max((row[3] for row in rows), default=START) if now is None else now
    rows = sorted((row for row in rows if since < row[3] <= now), key=lambda row: (row[3], row[1]))
    items = Items(
        time=np.array([row[1] for row in rows], np.int64),
        available=np.array([row[3] for row in rows], np.int64),
        code=np.array([code_id(by_name()[row[0]].code) for row in rows], np.int32),
        value=np.array([row[2] for row in rows], np.float32),
        text=np.zeros(len(rows), np.int32),
    )
    none = np.zeros(0, np.int64)
    shape = (0, len(PATCH_CHANNELS), PATCH_SAMPLES)
    patches = Patches(time=none, available=none, samples=np.zeros(shape), present=np.zeros(shape))
    pictures = Pictures(time=none, available=none, pixels=np.zeros((0, 64, 64)))
    return Slice(subject_id=1, since=since, now=now, origin=origin, items=items, patches=patches, pictures=pictures)


def build_events(rows, subject=1) -> pa.Table:
    """An event table of one subject from (name, minute, value) rows, known at once."""
    ids = [f"{subject:04d}{i:028x}" for i in range(len(rows))]
    columns = {
        "subject_id": [subject] * len(rows),
        "time": [minute(row[1]) for row in rows],
        "code": [by_name()[row[0]].code for row in rows],
        "numeric_value": [row[2] for row in rows],
        "text_value": [None] * len(rows),
        "available_time": [minute(row[1]) for row in rows],
        "available_basis": ["issued"] * len(rows),
        "unit": [by_name()[row[0]].unit for row in rows],
        "encounter_id": [None] * len(rows),
        "source": ["test"] * len(rows),
        "event_id": ids,
        "fact_id": ids,
        "status": ["final"] * len(rows),
        "record_id": [None] * len(rows),
    }
    return pa.Table.from_pydict(columns, schema=EVENTS)


def build_policy(**changes) -> Policy:
    """A sealed policy of model "m" that calibrates nothing, with these fields changed."""
    fields = {
        "policy_id": "",
        "model_id": "m",
        "task": load_task("deterioration-8h"),
        "calibration_scores": np.array([-1.0, 0.0, 1.0]),
        "calibration_p0": np.array([0.0, 0.1, 0.5]),
        "calibration_p1": np.array([0.1, 0.3, 0.9]),
        "band_margin": np.zeros((4, 4)),
        "novelty_scores": np.arange(1.0, 100.0),
        "novelty_alpha": 0.02,
        "threshold": 0.3,
        "clear_below": 0.2,
        "clear_after": 60 * MINUTE,
        "silence": 60 * MINUTE,
        "vitals_max_age": 360 * MINUTE,
        "expire_after": 480 * MINUTE,
        "recipients": ("charge-nurse",),
    }
    return seal(Policy(**{**fields, **changes}))
