"""The pieces of signals that end within an aligned window as a Parquet file: a row a piece, each at its own rate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import iso
from clinical_jepa.wiring import compose
from clinical_jepa.wiring.settings import Settings

if TYPE_CHECKING:
    from clinical_jepa.records.views import Window

_UTC = pa.timestamp("us", "UTC")
_TIMES = ("time", "end_time", "available_time")
_SAYS = ("channel", *_TIMES, "rate_hz", "unit", "quality", "quality_reason")
_AT_ONCE = 64  # pieces in memory


def write(settings: Settings, aligned: Window, out: Path) -> int:
    """How many pieces were written: whole, as they were known at ``as_of``, by channel and time.

    A piece belongs to the window in which it ends, so that windows side by side share none. ``BadRequest`` where there is
    no piece, or for an ending that is not .parquet.
    """
    if out.suffix != ".parquet":
        raise BadRequest(f"--signals {out}: {out.suffix or 'no ending'} is not .parquet")
    store = compose.store(settings)
    rows = store.history(aligned.subject_id, as_of=aligned.as_of).signals
    first, last = int(aligned.edges[0]), int(aligned.edges[-1])
    ends = rows["end_time"].cast(pa.int64())
    rows = rows.filter(pc.and_(pc.greater(ends, first), pc.less_equal(ends, last)))
    rows = rows.sort_by([("channel", "ascending"), ("time", "ascending")])
    if not rows.num_rows:
        raise BadRequest(f"no piece of a signal ends from {iso(first)} to {iso(last)}; nothing was written to {out}")
    says = pa.schema([rows.schema.field(name) for name in _SAYS])
    for name in _TIMES:
        says = says.set(says.get_field_index(name), pa.field(name, _UTC))
    with pq.ParquetWriter(out, says.append(pa.field("samples", pa.list_(pa.float32())))) as writer:
        for begin in range(0, rows.num_rows, _AT_ONCE):
            some = rows.slice(begin, _AT_ONCE)
            samples = [store.samples(reference) for reference in some["reference"].to_pylist()]
            columns = [*some.select(_SAYS).cast(says).columns, pa.array(samples, pa.list_(pa.float32()))]
            writer.write_table(pa.table(columns, writer.schema))
    return int(rows.num_rows)
