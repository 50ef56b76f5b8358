"""A store of made-up stays, quick to build: hourly vitals, and a slow fall of pressure in every third patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from clinical_jepa.model import checkpoint, normaliser
from clinical_jepa.model.config import ModelConfig
from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.events import EVENTS
from clinical_jepa.records.instant import BEGINNING, END, HOUR, MINUTE
from clinical_jepa.store.events import Store
from clinical_jepa.timeline.slices import slices
from clinical_jepa.vocabulary.codes import by_name
from clinical_jepa.vocabulary.identity import content_id

START = 1_767_600_000_000_000
HOURS = 20
SMALL = ModelConfig(width=16, facts=4, reads=1, queries=1, heads=1, key=8, value=8)


def stay(subject: int, seed: int = 0) -> list[tuple]:
    """Rows (name, time, available, value, fact, status) of one patient; one value of some is corrected later."""
    rng = np.random.default_rng((subject, seed))
    falls = START + int(rng.uniform(6, 16) * HOUR) if subject % 3 == 0 else None
    base = {"heart_rate": 80, "map": 85, "resp_rate": 16, "spo2": 97}
    rows = []
    for hour in range(HOURS):
        time = START + hour * HOUR + int(rng.integers(0, 10)) * MINUTE
        fall = 0.0 if falls is None else float(np.clip((time - falls) / HOUR + 9, 0, 13) / 9)
        shift = {"heart_rate": 20 * fall, "map": -25 * fall, "resp_rate": 4 * fall, "spo2": -fall}
        for name, value in base.items():
            charted = value + shift[name] + rng.normal(0, 2)
            rows.append((name, time, time + 5 * MINUTE, charted, f"{subject}/{name}/{hour}", "final"))
    if subject % 5 == 0:
        name, time, _, value, fact, _ = rows[12]
        rows.append((name, time, time + 3 * HOUR, value + 3, fact, "corrected"))
    return rows


def table(subject: int, rows: list[tuple]) -> pa.Table:
    columns: dict[str, list] = {name: [] for name in EVENTS.names}
    for name, time, available, value, fact, status in rows:
        code = by_name()[name]
        row = (subject, time, code.code, value, None, available, "issued", code.unit, None, "test")
        for column, cell in zip(
            EVENTS.names, (*row, content_id(fact, available), content_id(fact), status, None), strict=True
        ):
            columns[column].append(cell)
    return pa.Table.from_pydict(columns, schema=EVENTS)


def build(path: Path, *, subjects: int = 60, seed: int = 0) -> Store:
    """The store of patients 1 … subjects."""
    store = Store.open(path, create=True)
    events = pa.concat_tables([table(one, stay(one, seed)) for one in range(1, subjects + 1)])
    store.append([SourceBatch(events=events)], mode="history", now=START, prepare=lambda pixels, spacing: pixels)
    return store


def save_untrained(folder: Path, store: Store) -> None:
    """A small model of random weights, with this store's normaliser."""
    arrivals = store.arrivals(BEGINNING, END)
    pieces = slices(arrivals, subjects=sorted(arrivals.origins), since=BEGINNING, load=store.samples)
    checkpoint.save(folder, checkpoint.untrained(SMALL, normaliser.fit(pieces.values()), seed=0))
