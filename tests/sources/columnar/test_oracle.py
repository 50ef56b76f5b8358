"""Facts by the column are the same facts, to the last digit of their ids, as facts one by one (``sources.rows``)."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clinical_jepa.records.batch import Identity
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.columnar.block import LINE, Block
from clinical_jepa.sources.columnar.candidates import Run, candidates
from clinical_jepa.sources.columnar.settle import Columns, settled
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.rows import Fact, Origin, Rows

CODES = ("LOINC//8867-4", "LOINC//8310-5", "LOINC//2524-7", "RXNORM//11149", "SERVICE//MED", "LOINC//3150-6")
UNITS = (None, "/min", "Cel", "[degF]", "mmol/L", "mg/dL", "[iU]/h", "1", "%", "mmHg")
FACTS = st.fixed_dictionaries(
    {
        "code": st.sampled_from(CODES),
        "time": st.integers(-(2**50), 2**52),
        "reported": st.none() | st.integers(-(2**50), 2**52),
        "delay": st.none() | st.integers(0, 2**40),
        "value": st.none() | st.floats(-1e6, 1e6) | st.sampled_from([36.6, 97.9, 120.0, 0.1 + 0.2]),
        "unit": st.sampled_from(UNITS),
        "text": st.none() | st.text(max_size=4).filter(lambda text: "\x00" not in text),
    }
)
COLUMNS = Columns(subject="who", encounter=None, key=("id",), shown=("id",))


MINUS_ZERO = {
    "code": "SERVICE//MED",
    "time": 0,
    "reported": None,
    "delay": None,
    "value": -0.0,
    "unit": None,
    "text": None,
}


@settings(max_examples=150)
@example([MINUS_ZERO])
@example([MINUS_ZERO | {"code": "LOINC//8867-4", "value": None}, MINUS_ZERO])
@example([MINUS_ZERO | {"unit": "1"}, MINUS_ZERO | {"code": "LOINC//8310-5", "unit": "Cel"}])
@given(st.lists(FACTS, max_size=12))
def test_both_ways_give_the_same_rows_and_refusals(facts: list[dict]) -> None:
    by_row, by_column = Rows(), _by_column(facts)
    for number, fact in enumerate(facts):
        known, basis = availability(fact["time"], reported=fact["reported"], delay=fact["delay"])
        given_ = {name: fact[name] for name in ("code", "time", "value", "unit", "text")}
        if given_["value"] is None:
            given_["unit"] = None
        one = Fact(key=str(number), subject_id=7, available_time=known, available_basis=basis, **given_)
        by_row.add(one, Origin(source="s", file="f", record=f"id {number}", original=b"%d" % number))
    assert by_column.events.to_pylist() == by_row.table().to_pylist()
    theirs = [(one.record, one.reason, one.original) for one in by_row.rejections]
    assert [(one.record, one.reason, one.original) for one in by_column.rejections] == theirs


def _by_column(facts: list[dict]):
    kinds = (pl.String, pl.Int64, pl.Int64, pl.Int64, pl.Float64, pl.String, pl.String)
    schema = dict(zip(("code", "time", "reported", "delay", "value", "unit", "text"), kinds, strict=True))
    frame = (
        pl.DataFrame(facts, schema=schema)
        .with_row_index(LINE)
        .with_columns(pl.col(LINE).cast(pl.Int64), pl.lit("7").alias("who"))
    )
    frame = frame.with_columns(pl.col(LINE).cast(pl.String).alias("id"))
    run = Run(
        table="t",
        source="s",
        file="f",
        context=ReadContext(root=Path()),
        items=pl.DataFrame(),
        people=lambda name: Identity(subject_id=7, namespace="n", identifier=name),
    )
    unit = pl.when(pl.col("value").is_not_null()).then("unit")
    found = candidates(frame, **{name: pl.col(name) for name in schema if name != "unit"}, unit=unit)
    block = Block(frame=frame, shown=lambda place: b"%d" % place)
    return settled(block, [found], run, COLUMNS).batch
