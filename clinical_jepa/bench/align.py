"""Aligning a sorted store of many beds, against polars sorting the same table."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.bench.figure import Figure
from clinical_jepa.bench.rows import CODES, events
from clinical_jepa.records.instant import MINUTE
from clinical_jepa.timeline.aligned import aligned

ROWS = 10_000_000
A_MINUTE = 10  # values of a bed: what a monitor and its chart bring
STAY = 2 * 1440  # minutes


def run(folder: Path, rows: int = ROWS) -> list[Figure]:
    """The figure, on ``rows`` rows of stays of two days. Nothing is written to ``folder``: other parts need one."""
    import polars as pl

    table = sorted_store(rows)
    whole = pl.DataFrame(pl.from_arrow(table))
    mixed = whole.sample(fraction=1.0, shuffle=True, seed=1)
    origins = dict.fromkeys(pc.unique(table["subject_id"]).to_pylist(), 0)  # its stays begin at instant 0
    cells = [0, 0]

    def align() -> None:
        cells[:] = 0, 0
        for one in aligned([table], step=MINUTE, codes=CODES, origins=origins):
            cells[0] += one.values.size
            cells[1] += int(one.observed.sum())

    spent = _seconds(align)
    sorted_already, peer = (_seconds(partial(frame.sort, "subject_id", "time")) for frame in (whole, mixed))
    detail = (
        f"{rows} rows, 1-minute step, {len(CODES)} variables, {cells[0]} cells of which {cells[1]} observed: {spent:.2f} s; "
        f"polars sort by subject and time, all columns: {peer:.2f} s shuffled, {sorted_already:.2f} s when it lies sorted already"
    )
    return [Figure(name="align", ratio=spent / peer, limit=2.0, at_least=False, detail=detail)]


def sorted_store(rows: int) -> pa.Table:
    """EVENTS rows by subject and time: stays of ``STAY`` minutes with ``A_MINUTE`` values in each."""
    chance = np.random.default_rng(7)
    stays = max(1, rows // (STAY * A_MINUTE))
    table = events(rows, np.sort(chance.integers(1, 2**48, stays)), chance)
    subject = table["subject_id"].to_numpy()
    at = chance.integers(0, STAY * MINUTE, rows)
    table = table.set_column(1, table.schema.field(1), pa.array(at).cast(pa.timestamp("us")))
    return table.take(pa.array(np.lexsort((at, subject)))).combine_chunks()


def _seconds(work: Callable[[], object], times: int = 2) -> float:
    """The fastest of a few runs."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent)
