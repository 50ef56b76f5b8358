"""Tables that cannot be read as they should be; laws for any order of rows."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.rows import Fact, Origin, Rows
from clinical_jepa.sources.tables.mimic3 import reader
from tests.sources.tables.builders import EXAMPLE, copied, facts, read, refusals

HEADER, *ROWS = (EXAMPLE / "CHARTEVENTS.csv").read_text().splitlines()


def test_a_table_without_its_columns_is_one_refusal(tmp_path: Path) -> None:
    batch = read(copied(tmp_path, CHARTEVENTS="row_id,subject_id\n1,7\n"), "CHARTEVENTS")
    assert refusals(batch) == [("unreadable", "file")]
    assert "charttime" in batch.rejections[0].message
    assert batch.events.num_rows == 0


def test_a_truncated_gzip_is_one_refusal(tmp_path: Path) -> None:
    root = copied(tmp_path, CHARTEVENTS=None)
    whole = gzip.compress((HEADER + "\n" + "\n".join(ROWS * 200)).encode())
    (root / "CHARTEVENTS.csv.gz").write_bytes(whole[: len(whole) // 2])
    assert refusals(read(root, "CHARTEVENTS")) == [("unreadable", "file")]


def test_an_empty_table_is_one_refusal(tmp_path: Path) -> None:
    assert refusals(read(copied(tmp_path, CHARTEVENTS=""), "CHARTEVENTS")) == [("unreadable", "file")]


def test_tables_without_patients_are_not_found(tmp_path: Path) -> None:
    assert reader.find(copied(tmp_path, PATIENTS=None)) == []


def test_a_table_beside_broken_patients_is_refused(tmp_path: Path) -> None:
    assert refusals(read(copied(tmp_path, PATIENTS="x\n1\n"), "CHARTEVENTS")) == [("unreadable", "file")]


def test_headers_in_upper_case_are_the_same_table(tmp_path: Path) -> None:
    root = copied(tmp_path, CHARTEVENTS="\n".join([HEADER.upper(), *ROWS]) + "\n")
    assert facts(read(root, "CHARTEVENTS")) == facts(read(EXAMPLE, "CHARTEVENTS"))


@settings(max_examples=20, deadline=None)
@given(st.permutations(ROWS))
def test_the_order_of_rows_does_not_change_the_set_of_facts(order: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = copied(Path(folder), CHARTEVENTS="\n".join([HEADER, *order]) + "\n")
        one, other = read(root, "CHARTEVENTS"), read(EXAMPLE, "CHARTEVENTS")
    assert set(one.events["event_id"].to_pylist()) == set(other.events["event_id"].to_pylist())
    assert set(refusals(one)) == set(refusals(other))


def test_times_are_of_the_site_s_zone() -> None:
    def first(zone: str) -> int:
        (batch,) = reader.read(EXAMPLE / "OUTPUTEVENTS.csv", ReadContext(root=EXAMPLE, zone=ZoneInfo(zone)))
        return int(batch.events["time"].cast(pa.int64())[0].as_py())

    assert first("America/New_York") - first("UTC") == 4 * 3_600_000_000  # summer time in October


@pytest.mark.parametrize(
    ("item", "said", "value"),
    [
        ("678", "", 37.0),  # nothing said: as documented, in degrees Fahrenheit
        ("223761", "?F", 37.0),
        ("190", "torr", 98.6),  # a fraction, whatever the row says
        ("211", "mmHg", None),
    ],
)
def test_a_stated_unit_is_believed_unless_the_item_spells_it_so(
    tmp_path: Path, item: str, said: str, value: float | None
) -> None:
    number = 0.986 if item == "190" else 98.6
    line = f"7,7,70,700,{item},2150-10-24 01:00:00,,1,{number},{number},{said},0,0,,"
    batch = read(copied(tmp_path, CHARTEVENTS=f"{HEADER}\n{line}\n"), "CHARTEVENTS")
    if value is None:
        assert refusals(batch) == [("unknown-unit", "row_id 7")]
    else:
        assert batch.events["numeric_value"].to_pylist() == [pytest.approx(value)]


def test_units_an_hour_are_sixty_times_less_a_minute() -> None:
    rows = Rows()
    origin = Origin(source="t", file="f", record="r")
    content = {"time": 0, "available_time": 0, "available_basis": "assumed", "value": 2.4, "unit": "[iU]/h"}
    assert rows.add(Fact(key="k", subject_id=1, code="RXNORM//11149", **content), origin)
    assert rows.table()["numeric_value"][0].as_py() == pytest.approx(0.04)
