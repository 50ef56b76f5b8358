"""What the lines of a table may become: one row a possible fact, before its subject, unit and limits are looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from clinical_jepa.records.batch import Identity
from clinical_jepa.sources.columnar.block import LINE
from clinical_jepa.sources.context import ReadContext

# ``why``: no fact of this system, and why; ``reason`` and ``message``: refused. ``part`` tells the facts of a line apart.
# Available at ``known`` where that is given (only then may ``time`` be null: a static); else as reported, else after
# ``delay``, else at ``time``. ``basis`` and ``status``: only where the source itself says them.
COLUMNS: Mapping[str, Any] = {
    LINE: pl.Int64,
    "part": pl.String,
    "code": pl.String,
    "time": pl.Int64,
    "reported": pl.Int64,
    "delay": pl.Int64,
    "known": pl.Int64,
    "basis": pl.String,
    "status": pl.String,
    "value": pl.Float64,
    "unit": pl.String,
    "text": pl.String,
    "low": pl.Float64,
    "high": pl.Float64,
    "why": pl.String,
    "reason": pl.String,
    "message": pl.String,
}
UNMAPPED = "item not in the code map"  # why: then ``text`` names the item


@dataclass(frozen=True, kw_only=True)
class Run:
    """A table under way. ``file`` is how refusals name it; ``beside`` what other tables say, by name and key.

    ``people`` gives the subject of an identifier, None where the data set does not declare it; ``looked`` is what a first
    look through the whole table found, where its shapes need one.
    """

    table: str
    source: str
    file: str
    context: ReadContext
    items: pl.DataFrame
    people: Callable[[str], Identity | None]
    beside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    looked: pl.DataFrame | None = None

    def delay(self, kind: str | None) -> pl.Expr:
        """The site's declared delay of a kind of fact, null where there is none."""
        return pl.lit(None if kind is None else self.context.delays[kind], pl.Int64)

    def delays(self, default: str) -> pl.Expr:
        """The declared delay of each row's ``kind``, of the default kind where the map names none."""
        known = {kind: delay for kind, delay in self.context.delays.items() if delay is not None}
        return pl.col("kind").fill_null(default).replace_strict(known, default=None, return_dtype=pl.Int64)


Clock = Callable[[Run], pl.Expr]  # when a line's fact was true: µs
Shape = Callable[[pl.DataFrame, Run], pl.DataFrame]  # a block's lines to candidates


def candidates(frame: pl.DataFrame, **columns: pl.Expr | str | None) -> pl.DataFrame:
    """The frame's rows as candidates; a column that is not given is null, a string is a literal."""
    chosen = {"part": "", **columns}
    given = [_column(chosen.get(name), kind).alias(name) for name, kind in COLUMNS.items() if name != LINE]
    return frame.select(pl.col(LINE), *given)


def _column(given: pl.Expr | str | None, kind: Any) -> pl.Expr:
    return given.cast(kind) if isinstance(given, pl.Expr) else pl.lit(given, kind)


def nothing() -> pl.DataFrame:
    """No candidates."""
    return pl.DataFrame(schema=dict(COLUMNS))
