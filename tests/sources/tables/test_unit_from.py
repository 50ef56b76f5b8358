"""Who states a unit (``unit_from`` of the code maps), against the data sets' documentation, layouts and rows."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from clinical_jepa.sources.columnar.codemap import code_map

MAPS = ("mimic3", "mimic4", "eicu", "cinc2012", "cinc2019", "meds")
# Tables whose published layout has no column for a unit, and the items in them whose own name, in the row, says it.
WITHOUT_COLUMN = {
    "mimic4": {"omr"},
    "eicu": {"vitalPeriodic", "vitalAperiodic", "nurseCharting", "respiratoryCharting", "intakeOutput", "infusionDrug"}
    | {"patient"},
    "cinc2012": {"set", "Outcomes"},
    "cinc2019": {"training"},
}
NAMED = re.compile(r"Bodyweight \((kg|lb)\)|\w+ \((mcg|mg|units)/(kg/)?(min|hr)\)")
DISPUTED = {
    ("cinc2012", "CINC2012//Mg"),
    ("cinc2019", "CINC2019//Magnesium"),
    ("cinc2019", "CINC2019//Lactate"),
    ("cinc2019", "CINC2019//FiO2"),
    ("eicu", "EICU//ionized calcium"),
}
ROWS = [
    ("mimic3", "CHARTEVENTS", "mimic3_demo/CHARTEVENTS.csv.gz", "valuenum", "valueuom"),
    ("mimic3", "LABEVENTS", "mimic3_demo/LABEVENTS.csv.gz", "valuenum", "valueuom"),
    ("mimic3", "OUTPUTEVENTS", "mimic3_demo/OUTPUTEVENTS.csv.gz", "value", "valueuom"),
    ("mimic4", "labevents", "mimic4_demo/hosp/labevents.csv.gz", "valuenum", "valueuom"),
    ("mimic4", "outputevents", "mimic4_demo/icu/outputevents.csv.gz", "value", "valueuom"),
]


@pytest.mark.parametrize("name", MAPS)
def test_every_unit_has_its_mark(name: str) -> None:
    for line in code_map(name):
        assert line["unit_from"] in (("row", "documentation", "disputed") if line["unit"] else ("",)), line["item"]


@pytest.mark.parametrize("name", sorted(WITHOUT_COLUMN))
def test_a_table_without_a_column_for_units_is_documented(name: str) -> None:
    lines = [line for line in code_map(name) if line["unit"] and line["table"] in WITHOUT_COLUMN[name]]
    assert lines
    for line in lines:
        assert (line["unit_from"] == "row") == bool(NAMED.fullmatch(line["item"])), line["item"]


def test_what_documentation_and_values_disagree_on_keeps_a_code_of_the_data_set() -> None:
    assert {
        (name, line["code"]) for name in MAPS for line in code_map(name) if line["unit_from"] == "disputed"
    } == DISPUTED


@pytest.mark.data
@pytest.mark.parametrize("name", ["cinc2012", "cinc2019"])
def test_the_challenges_units_are_those_of_the_documentation(name: str, data: Path) -> None:
    """The folder's own page lists a unit for each variable, and where the values read otherwise."""
    page = (data / "README-tables.md").read_text(encoding="utf-8").split(f"## {name}")[1].split("\n## ")[0]
    cells = [cell.strip() for row in page.splitlines() if row.startswith("| ") for cell in row.strip()[1:-1].split("|")]
    documented = {item.split(" ")[0]: unit for item, unit in zip(cells[::2], cells[1::2], strict=True) if item}
    mapped = {line["item"]: line for line in code_map(name) if line["unit"] and line["table"] != "Outcomes"}
    assert len(documented) > 35
    assert mapped.keys() <= documented.keys()
    for item, line in mapped.items():
        assert line["unit_from"] == ("disputed" if "documented as" in documented[item] else "documentation"), item


def marks(name: str, table: str) -> dict[str, str]:
    """By item id: who is said to state its unit."""
    lines = [line for line in code_map(name) if line["table"] == table and line["unit"]]
    return {line["item"].removeprefix("LAB//"): line["unit_from"] for line in lines}


def held(marked: dict[str, str], stated: pl.DataFrame) -> int:
    """Asserts the marks of the items that have rows; how many these are. ``stated``: an item and whether a unit, by row."""
    share = dict(stated.group_by("item").agg(pl.col("unit").mean()).iter_rows())
    wrong = {item: mark for item, mark in marked.items() if item in share and (mark == "row") != (share[item] > 0.5)}
    assert wrong == {}
    return len(share.keys() & marked.keys())


@pytest.mark.data
@pytest.mark.parametrize(("name", "table", "file", "value", "unit"), ROWS)
def test_the_rows_state_the_units_that_are_marked_so(
    name: str, table: str, file: str, value: str, unit: str, data: Path
) -> None:
    rows = pl.read_csv(data / file, infer_schema=False, columns=["itemid", value, unit]).drop_nulls(value)
    stated = rows.select(pl.col("itemid").alias("item"), unit=pl.col(unit).fill_null("").str.strip_chars() != "")
    assert held(marks(name, table), stated) > 3


@pytest.mark.data
@pytest.mark.parametrize(("name", "table"), [("meds", "events"), ("mimic4", "chartevents")])
def test_so_do_the_codes_of_the_meds_publication(name: str, table: str, data: Path) -> None:
    """``LAB//item//unit``, the unit ``UNK`` where the row had none."""
    (file,) = (data / "mimic4_demo_meds").glob("*.parquet")
    rows = pl.read_parquet(file, columns=["code", "value"]).drop_nulls("value")
    parts = (
        rows.filter(pl.col("code").str.starts_with("LAB//"))
        .select(part=pl.col("code").str.splitn("//", 3))
        .unnest("part")
    )
    stated = parts.select(pl.col("field_1").alias("item"), unit=pl.col("field_2").fill_null("UNK") != "UNK")
    assert held(marks(name, table), stated) > 20
