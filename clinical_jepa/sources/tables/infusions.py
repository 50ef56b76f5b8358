"""INPUTEVENTS of both charting systems: rates of vasopressors, amounts of crystalloids."""

from __future__ import annotations

import polars as pl

from clinical_jepa.sources.tables.files import RAW, instants
from clinical_jepa.sources.tables.mapping import Item, items, unit_of
from clinical_jepa.sources.tables.under_way import Content, Row, UnderWay

_COMMON = ("row_id", "subject_id", "hadm_id", "itemid", "amount", "amountuom", "rate", "rateuom", "storetime")
NEEDED_MV = (*_COMMON, "starttime", "endtime", "statusdescription")
NEEDED_CV = (*_COMMON, "charttime", "stopped")
_ENDED = ("FinishedRunning", "Stopped", "Paused")  # "Changed" goes on with another rate
_STOPPED = ("Stopped", "D/C'd")


def read_mv(frame: pl.DataFrame, under_way: UnderWay) -> None:
    """MetaVision: intervals. A rate counts from its start, 0 from an end that no further rate follows."""
    mapped = _mapped(frame, under_way)
    valid = mapped.filter(pl.col("statusdescription").ne_missing("Rewritten"))
    under_way.ignore("rewritten, superseded by another row", mapped.height - valid.height)
    known = items(under_way.table)
    rows = _numbers(valid, ("starttime", "endtime", "storetime"), under_way).to_dicts()
    starts = {
        (row["subject_id"], known[row["itemid"]].code, row["starttime"]) for row in rows if row["rate"] is not None
    }
    for row in rows:
        item = known[row["itemid"]]
        if item.column == "amount":
            _number(row, item, row["endtime"], under_way)
            continue
        _number(row, item, row["starttime"], under_way)
        goes_on = (row["subject_id"], item.code, row["endtime"]) in starts
        if row["rate"] and row["statusdescription"] in _ENDED and not goes_on:
            content = Content(value=0.0, unit=unit_of(item, row["rateuom"]), part="#end")
            under_way.keep(row, item.code, row["endtime"], stored=row["storetime"], content=content)


def read_cv(frame: pl.DataFrame, under_way: UnderWay) -> None:
    """CareVue: points in time. A row that says stopped is a rate of 0; an amount is the total up to its time."""
    known = items(under_way.table)
    for row in _numbers(_mapped(frame, under_way), ("charttime", "storetime"), under_way).iter_rows(named=True):
        item = known[row["itemid"]]
        stopped = item.column == "rate" and row["stopped"] in _STOPPED
        _number({**row, "rate": 0.0} if stopped else row, item, row["charttime"], under_way)


def _number(row: Row, item: Item, time: int | None, under_way: UnderWay) -> None:
    value = row[item.column]
    if value is None:
        under_way.ignore(f"mapped item without {item.column}")
        return
    content = Content(value=value, unit=unit_of(item, row[f"{item.column}uom"]))
    under_way.keep(row, item.code, time, stored=row["storetime"], delay="treatment", content=content)


def _mapped(frame: pl.DataFrame, under_way: UnderWay) -> pl.DataFrame:
    mapped = frame.filter(pl.col("itemid").is_in(list(items(under_way.table))))
    under_way.ignore("item not in the code map", frame.height - mapped.height)
    return mapped


def _numbers(frame: pl.DataFrame, times: tuple[str, ...], under_way: UnderWay) -> pl.DataFrame:
    texts = [name for name in ("stopped", "statusdescription") if name in frame.columns]
    chosen = frame.select(*_COMMON, *(time for time in times if time not in _COMMON), *texts, RAW)
    return chosen.with_columns(
        pl.col("amount", "rate").cast(pl.Float64, strict=False),
        pl.col("amountuom", "rateuom").str.strip_chars(),
        *instants(under_way.context.zone, *times),
    )
