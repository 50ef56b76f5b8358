"""CHARTEVENTS, LABEVENTS and OUTPUTEVENTS: one number, at one time, of one item."""

from __future__ import annotations

import polars as pl

from clinical_jepa.sources.tables.files import RAW, instants
from clinical_jepa.sources.tables.mapping import Item, items, unit_of
from clinical_jepa.sources.tables.under_way import Content, Row, UnderWay

# table: the number, its words, the column that marks an error, the kind of its declared delay
_SHAPE = {
    "CHARTEVENTS": ("valuenum", "value", "error", "chart"),
    "LABEVENTS": ("valuenum", "value", None, "lab"),
    "OUTPUTEVENTS": ("value", "value", "iserror", "chart"),
}
NEEDED = ("row_id", "subject_id", "hadm_id", "itemid", "charttime", "value", "valueuom")
_SPECIMEN_ITEM = "50800"


def read(frame: pl.DataFrame, under_way: UnderWay) -> None:
    """Keep every row of a mapped item, or its rejection; count the others."""
    known = items(under_way.table)
    mapped = frame.filter(pl.col("itemid").is_in(list(known)))
    under_way.ignore("item not in the code map", frame.height - mapped.height)
    specimens = _specimens(frame) if under_way.table == "LABEVENTS" else {}
    for row in _normal(mapped, under_way).iter_rows(named=True):
        item = known[row["itemid"]]
        if item.specimen is not None and specimens.get((row["subject_id"], row["clock"])) != item.specimen:
            under_way.ignore(f"blood gas not known to be {item.specimen}")
        else:
            _row(row, item, under_way)


def _normal(frame: pl.DataFrame, under_way: UnderWay) -> pl.DataFrame:
    number, words, wrong, _ = _SHAPE[under_way.table]
    stored = pl.col("storetime") if "storetime" in frame.columns else pl.lit(None, pl.String)
    return frame.select(
        "row_id",
        "subject_id",
        "hadm_id",
        "itemid",
        RAW,
        pl.col("charttime").alias("clock"),
        pl.col("charttime").alias("time"),
        stored.alias("stored"),
        pl.col(number).cast(pl.Float64, strict=False).alias("number"),
        pl.col(number).is_not_null().alias("numbered"),
        pl.col(words).alias("words"),
        pl.col("valueuom").str.strip_chars().alias("unit"),
        (pl.col(wrong) == "1").fill_null(value=False).alias("wrong") if wrong else pl.lit(False).alias("wrong"),
    ).with_columns(instants(under_way.context.zone, "time", "stored"))


def _row(row: Row, item: Item, under_way: UnderWay) -> None:
    delay = _SHAPE[under_way.table][3]
    if row["wrong"]:
        under_way.reject(row, "invalid", f"{under_way.table}: the table itself marks this row as an error")
    elif row["number"] is not None:
        content = Content(value=row["number"], unit=unit_of(item, row["unit"]))
        under_way.keep(row, item.code, row["time"], stored=row["stored"], delay=delay, content=content)
    elif row["numbered"]:
        under_way.reject(row, "invalid", f"{under_way.table}: the number's column holds no number")
    elif under_way.table == "LABEVENTS" and row["words"] is not None:  # "LESS THAN 0.4" is a result, not a number
        under_way.keep(row, item.code, row["time"], delay=delay, content=Content(text=row["words"]))
    else:
        under_way.ignore("mapped item without a number")


def _specimens(frame: pl.DataFrame) -> dict[tuple[str, str], str]:
    rows = frame.filter(pl.col("itemid") == _SPECIMEN_ITEM).select("subject_id", "charttime", "value").rows()
    return {(subject, time): value for subject, time, value in rows}
