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
from clinical_jepa.sources.tables import reader
from clinical_jepa.sources.tables.mapping import items, unit_of
from clinical_jepa.vocabulary.codes import by_code
from clinical_jepa.vocabulary.units import conversion
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


def test_every_mapped_item_leads_to_a_listed_code_in_a_convertible_unit() -> None:
    needs_weight = set()
    for table in ("CHARTEVENTS", "LABEVENTS", "INPUTEVENTS_CV", "INPUTEVENTS_MV", "OUTPUTEVENTS"):
        for name, item in items(table).items():
            known = by_code()[item.code]
            if conversion(item.unit, known.unit or "") is None:
                needs_weight.add(name)
    assert needs_weight == {"30047", "30044", "30127"}  # ug/min: refused, since the weight is not in the row


@pytest.mark.parametrize(
    ("table", "item", "stated", "unit"),
    [
        ("CHARTEVENTS", "678", None, "[degF]"),
        ("CHARTEVENTS", "223761", "?F", "[degF]"),
        ("CHARTEVENTS", "190", "torr", "1"),
        ("CHARTEVENTS", "223835", None, "%"),
        ("CHARTEVENTS", "211", "mmHg", "mmHg"),
        ("LABEVENTS", "50889", "mg/dL", "mg/dL"),
        ("INPUTEVENTS_MV", "222315", "units/hour", "[iU]/h"),
    ],
)
def test_a_stated_unit_is_believed_unless_the_item_spells_it_so(
    table: str, item: str, stated: str | None, unit: str
) -> None:
    assert unit_of(items(table)[item], stated) == unit


def test_units_an_hour_are_sixty_times_less_a_minute() -> None:
    rows = Rows()
    origin = Origin(source="t", file="f", record="r")
    content = {"time": 0, "available_time": 0, "available_basis": "assumed", "value": 2.4, "unit": "[iU]/h"}
    assert rows.add(Fact(key="k", subject_id=1, code="RXNORM//11149", **content), origin)
    assert rows.table()["numeric_value"][0].as_py() == pytest.approx(0.04)
