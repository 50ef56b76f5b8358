"""MEDS datasets of others: codes by the map, units from where they stand, availability assumed; faults cost one row."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.events import EVENTS
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.meds import reader
from clinical_jepa.vocabulary.identity import subject_id
from tests.sources.meds.made import DATA, OTHER, ROWS, at, row, write
from tests.sources.tables.builders import together


def read(folder: Path) -> SourceBatch:
    found = (batch for path in reader.find(folder) for batch in reader.read(path, ReadContext(root=folder)))
    return together(found)


def facts(batch: SourceBatch) -> set[tuple[Any, ...]]:
    rows = batch.events.to_pylist()
    named = ("subject_id", "code", "time", "available_time", "available_basis", "numeric_value", "unit")
    found = [[row[name] for name in named] for row in rows]
    return {tuple(round(cell, 2) if isinstance(cell, float) else cell for cell in cells) for cells in found}


def refused(rows: list[dict[str, Any]], folder: Path, schema: pa.Schema = DATA) -> list[tuple[str, str]]:
    batch = read(write(folder, [*ROWS, *rows], schema=schema))
    sound = read(write(folder.with_name("sound"), ROWS, schema=schema))
    assert set(sound.events["event_id"].to_pylist()) <= set(batch.events["event_id"].to_pylist())
    assert len(batch.events) == len(sound.events)
    return [(one.reason, one.record) for one in batch.rejections]


def test_codes_units_and_times(tmp_path: Path) -> None:
    batch = read(write(tmp_path / "d"))
    one, two, three = (subject_id("meds:made", name) for name in "123")
    assert facts(batch) == {
        (one, "GENDER//F", None, at(1), "assumed", None, None),
        (one, "LOINC//8867-4", at(1), at(1), "assumed", 88.0, "/min"),
        (one, "LOINC//2524-7", at(2), at(2), "assumed", 1.5, "mmol/L"),
        (two, "GENDER//M", None, at(1), "assumed", None, None),
        (two, "OWN//thing", at(1), at(1), "assumed", 3.0, None),
        (two, "LOINC//8310-5", at(3), at(3), "assumed", 37.0, "Cel"),
        (three, "OWN//thing", at(1), at(1), "assumed", 4.0, None),
    }
    assert batch.events.schema == EVENTS


@pytest.mark.fault(source="meds", fault="wrong unit", ends="the row refused as unknown-unit, the others kept")
def test_a_unit_that_does_not_convert_is_refused(tmp_path: Path) -> None:
    assert refused([row(9, at(1), "LAB//50813//mmHg", 14.0)], tmp_path / "d") == [("unknown-unit", "row 6")]


@pytest.mark.fault(
    source="meds", fault="missing time", ends="a row without a time is refused, unless it is of a subject with others"
)
def test_a_subject_without_any_time_is_refused(tmp_path: Path) -> None:
    assert refused([row(9, None, "GENDER//F")], tmp_path / "d") == [("no-time", "row 6")]


@pytest.mark.fault(source="meds", fault="bad number", ends="the row refused as invalid, the others kept")
def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    assert refused([row(9, at(1), "OWN//thing", float("nan"))], tmp_path / "d") == [("invalid", "row 6")]


@pytest.mark.fault(source="meds", fault="implausible value", ends="the row refused as implausible, the others kept")
def test_an_implausible_value_is_refused(tmp_path: Path) -> None:
    assert refused([row(9, at(1), "LAB//220045//bpm", 4000.0)], tmp_path / "d") == [("implausible", "row 6")]


@pytest.mark.fault(source="meds", fault="truncation", ends="the file refused, nothing of it kept; other files read")
def test_a_truncated_file_is_one_refusal(tmp_path: Path) -> None:
    folder = write(tmp_path / "d")
    path = folder / "data" / "0.parquet"
    path.write_bytes(path.read_bytes()[:-30])
    batch = read(folder)
    assert [(one.reason, one.file) for one in batch.rejections] == [("unreadable", "data/0.parquet")]
    assert batch.events.num_rows == len(OTHER)


@pytest.mark.fault(source="meds", fault="wrong column", ends="the file refused, and told which column it lacks")
def test_a_file_without_its_columns_is_one_refusal(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", ROWS, schema=pa.schema([field for field in DATA if field.name != "code"]))
    (one,) = read(folder).rejections
    assert one.reason == "unreadable"
    assert "code" in one.message


@pytest.mark.fault(source="meds", fault="duplicate", ends="the same row once")
@pytest.mark.fault(source="meds", fault="out of order", ends="the same rows")
@settings(max_examples=25, deadline=None)
@given(order=st.permutations([*ROWS, *OTHER]), size=st.integers(1, 4), again=st.integers(0, 6))
def test_any_order_batching_and_repetition_gives_the_same_rows(
    order: list[dict[str, Any]], size: int, again: int
) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        plain = read(write(Path(name) / "d"))
        patch.setattr(reader, "_ROWS", size)
        shuffled = read(write(Path(name) / "e", [*order, *order[:again]]))
    assert set(shuffled.events["event_id"].to_pylist()) == set(plain.events["event_id"].to_pylist())


def test_zoned_times_are_read_as_the_instants_that_they_are(tmp_path: Path) -> None:
    kinds = {"time": pa.timestamp("us", "America/New_York")}
    schema = pa.schema([field.with_type(kinds.get(field.name, field.type)) for field in DATA])
    batch = read(write(tmp_path / "d", schema=schema))
    assert facts(batch) == facts(read(write(tmp_path / "e")))


def test_when_a_row_was_known_is_taken_where_the_dataset_says_it(tmp_path: Path) -> None:
    schema = DATA.append(pa.field("available_time", pa.timestamp("us")))
    later = at(1) + timedelta(minutes=20)
    rows = [
        row(1, at(1), "OWN//thing", 1.0, available_time=later),
        row(1, at(2), "OWN//thing", 2.0, available_time=at(1)),
    ]
    found = {
        (time, available, basis)
        for _, _, time, available, basis, _, _ in facts(read(write(tmp_path / "d", rows, schema=schema)))
    }
    assert found == {(at(1), later, "issued"), (at(2), at(2), "clamped")}


def test_segments_of_a_store_are_no_dataset(tmp_path: Path) -> None:
    pl.DataFrame({"subject_id": [1], "time": [at(1)], "code": ["a"], "commit": [1]}).write_parquet(
        tmp_path / "s.parquet"
    )
    pl.DataFrame({"stay_id": [1]}).write_parquet(tmp_path / "t.parquet")
    assert reader.find(tmp_path) == []


@pytest.mark.data
def test_the_mimic_4_demo_as_others_published_it(data: Path) -> None:
    root = data / "mimic4_demo_meds"
    (path,) = reader.find(root)
    source = pl.read_parquet(path)
    stored = refusals = 0
    codes: pl.Series | None = None
    for one in reader.account(path, ReadContext(root=root)):
        assert one.lines.whole
        stored += one.lines.stored
        refusals += len(one.batch.rejections)
        found = pl.Series(pl.from_arrow(one.batch.events["code"]))
        codes = found if codes is None else pl.concat([codes, found])
    assert (stored, refusals, stored + refusals) == (916_129, 37, source.height)
    assert codes is not None
    pulse = source.filter(pl.col("code") == "LAB//220045//bpm").height
    assert (codes == "LOINC//8867-4").sum() == pulse == 13_913
