"""Units and limits of a whole column of candidates, by the same tables as ``sources.rows`` uses for one fact."""

from __future__ import annotations

from functools import cache

import polars as pl

from clinical_jepa.vocabulary.codes import by_code
from clinical_jepa.vocabulary.units import conversion

_PAIRS = {
    "code": pl.String,
    "unit": pl.String,
    "factor": pl.Float64,
    "offset": pl.Float64,
    "canonical": pl.String,
    "listed_low": pl.Float64,
    "listed_high": pl.Float64,
    "refused": pl.String,
    "told": pl.String,
}


def checked(frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers in the canonical unit of their code; ``reason`` and ``message`` where that is uncertain or implausible."""
    numbered = pl.col("value").is_not_null() & pl.col("reason").is_null()
    pairs = frame.filter(numbered).select("code", "unit").unique()
    table = pl.DataFrame([_pair(code, unit) for code, unit in pairs.rows()], schema=_PAIRS, orient="row")
    frame = frame.join(table, on=["code", "unit"], how="left", nulls_equal=True, maintain_order="left")
    value = pl.col("value") * pl.col("factor") + pl.col("offset")
    converts = numbered & pl.col("factor").is_not_null()
    frame = frame.with_columns(
        pl.when(converts).then(value).otherwise("value").alias("value"),
        pl.when(converts).then("canonical").otherwise("unit").alias("unit"),
        pl.when(numbered).then("refused").otherwise("reason").alias("reason"),
        pl.when(numbered).then("told").otherwise("message").alias("message"),
        pl.max_horizontal("low", "listed_low").alias("low"),
        pl.min_horizontal("high", "listed_high").alias("high"),
    )
    inside = (pl.col("value") >= pl.col("low")).fill_null(True) & (pl.col("value") <= pl.col("high")).fill_null(True)
    outside = pl.col("value").is_not_null() & pl.col("reason").is_null() & ~inside
    return frame.with_columns(
        pl.when(outside).then(pl.lit("implausible")).otherwise("reason").alias("reason"),
        pl.when(outside).then(_limits()).otherwise("message").alias("message"),
    ).drop(name for name in _PAIRS if name not in ("code", "unit"))


def _limits() -> pl.Expr:
    low, high = (pl.col(name).cast(pl.String).fill_null("any") for name in ("low", "high"))
    return pl.concat_str(
        pl.col("code"), pl.lit(" lies outside "), low, pl.lit(" to "), high, pl.lit(" "), pl.col("unit").fill_null("")
    )


@cache
def _pair(code: str, unit: str | None) -> tuple[object, ...]:
    known = by_code().get(code)
    if known is None or known.unit is None:  # a code of the data set's own: its unit stays as stated
        return code, unit, 1.0, 0.0, unit, None, None, None, None
    named = f"{code} ({known.label})"
    if unit is None:
        told = f"{named} needs a unit; {known.unit} is the canonical one"
        return code, unit, None, None, None, None, None, "no-unit", told
    factors = conversion(unit, known.unit)
    if factors is None:
        told = f"{named}: {unit!r} has no certain conversion to {known.unit}"
        return code, unit, None, None, None, None, None, "unknown-unit", told
    return code, unit, *factors, known.unit, known.low, known.high, None, None
