"""Each rule of the validator catches the fault that is planted for it, at its file and row, and a sound dataset passes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meds import DataSchema

from clinical_jepa.sources.meds import rules
from clinical_jepa.sources.meds.rules import violations
from tests.sources.meds.made import DATA, DESCRIPTION, OTHER, ROWS, at, row, write


def found(folder: Path) -> list[tuple[str, str, int | None]]:
    return [(one.rule, one.file, one.row) for one in violations(folder)]


def zoned(name: str, kind: pa.DataType) -> pa.Schema:
    return pa.schema([field.with_type(kind) if field.name == name else field for field in DATA])


def test_a_sound_dataset_passes_here_and_with_the_package(tmp_path: Path) -> None:
    write(tmp_path / "d")
    assert found(tmp_path / "d") == []
    for path in (tmp_path / "d" / "data").iterdir():
        DataSchema.validate(pq.read_table(path))


def test_an_unsorted_row_is_named_though_the_package_takes_it(tmp_path: Path) -> None:
    rows = [*ROWS[:1], ROWS[2], ROWS[1], *ROWS[3:]]
    write(tmp_path / "d", rows)
    assert found(tmp_path / "d") == [("unsorted", "data/0.parquet", 2)]
    DataSchema.validate(pq.read_table(tmp_path / "d" / "data" / "0.parquet"))


def test_a_static_row_after_timed_ones_is_unsorted(tmp_path: Path) -> None:
    write(tmp_path / "d", [ROWS[1], ROWS[0]])
    assert found(tmp_path / "d") == [("unsorted", "data/0.parquet", 1)]


def test_interleaved_subjects_are_named_though_the_package_takes_them(tmp_path: Path) -> None:
    write(tmp_path / "d", [ROWS[1], ROWS[4], ROWS[2], ROWS[5]])
    assert found(tmp_path / "d") == [("interleaved", "data/0.parquet", 2), ("interleaved", "data/0.parquet", 3)]
    DataSchema.validate(pq.read_table(tmp_path / "d" / "data" / "0.parquet"))


def test_a_subject_in_two_files_is_named(tmp_path: Path) -> None:
    write(tmp_path / "d", ROWS, [row(2, at(5), "OWN//thing", 1.0)])
    assert found(tmp_path / "d") == [("scattered", "data/1.parquet", 0)]


@pytest.mark.fault(source="meds", fault="zoned time", ends="refused by check meds; read as the same instant")
def test_zoned_times_are_named_though_the_package_shifts_them(tmp_path: Path) -> None:
    write(tmp_path / "d", schema=zoned("time", pa.timestamp("us", "America/New_York")))
    assert found(tmp_path / "d")[:2] == [("zoned-time", "data/0.parquet", None), ("zoned-time", "data/1.parquet", None)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("time", pa.timestamp("ns")),
        ("subject_id", pa.int32()),
        ("numeric_value", pa.float64()),
        ("code", pa.large_string()),
        ("text_value", pa.string()),
    ],
)
def test_other_types_are_named(tmp_path: Path, name: str, kind: pa.DataType) -> None:
    write(tmp_path / "d", ROWS, schema=zoned(name, kind))
    assert found(tmp_path / "d")[0] == ("wrong-type", "data/0.parquet", None)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    write(tmp_path / "d", ROWS, schema=pa.schema([field for field in DATA if field.name != "code"]))
    assert found(tmp_path / "d")[0] == ("no-column", "data/0.parquet", None)


def test_values_may_be_left_out(tmp_path: Path) -> None:
    write(tmp_path / "d", ROWS, schema=pa.schema([field for field in DATA if not field.name.endswith("_value")]))
    assert found(tmp_path / "d") == []


def test_nulls_are_named(tmp_path: Path) -> None:
    write(tmp_path / "d", [ROWS[1], row(1, at(2), None), row(None, at(3), "OWN//thing")])
    assert found(tmp_path / "d") == [("null", "data/0.parquet", 2), ("null", "data/0.parquet", 1)]


def test_a_code_that_is_not_listed_is_named(tmp_path: Path) -> None:
    write(
        tmp_path / "d", ROWS, codes=["GENDER//F", "GENDER//M", "LAB//220045//bpm", "LAB//50813//mmol/L", "OWN//thing"]
    )
    (one,) = violations(tmp_path / "d")
    assert (one.rule, one.file) == ("code-not-listed", "metadata/codes.parquet")
    assert "LAB//223761//°F" in one.message


def test_repeated_codes_and_subjects_and_those_in_no_split_are_named(tmp_path: Path) -> None:
    codes = sorted({one["code"] for one in ROWS})
    write(tmp_path / "d", ROWS, codes=[*codes, codes[0]], splits=[1, 1])
    assert found(tmp_path / "d") == [
        ("repeated", "metadata/codes.parquet", len(codes)),
        ("repeated", "metadata/subject_splits.parquet", 1),
        ("no-split", "metadata/subject_splits.parquet", None),
    ]


@pytest.mark.parametrize("name", ["codes.parquet", "subject_splits.parquet", "dataset.json"])
def test_missing_and_damaged_metadata_are_named(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "d") / "metadata" / name
    path.write_bytes(path.read_bytes()[:-9])
    assert [one.file for one in violations(tmp_path / "d")] == [f"metadata/{name}"]
    path.unlink()
    assert found(tmp_path / "d") == [("no-metadata", f"metadata/{name}", None)]


def test_a_damaged_data_file_is_named_and_the_others_are_checked(tmp_path: Path) -> None:
    write(tmp_path / "d", ROWS, [OTHER[0], row(3, at(0), "OWN//thing")])
    path = tmp_path / "d" / "data" / "0.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    assert ("unreadable", "data/0.parquet", None) in found(tmp_path / "d")
    assert ("unsorted", "data/1.parquet", 1) in found(tmp_path / "d")


def test_what_a_dataset_says_of_itself_is_held_to_its_files(tmp_path: Path) -> None:
    said = {**DESCRIPTION, "meds_version": "0.3.3", "code_modifier_columns": ["unit"], "site_id_columns": "x"}
    write(tmp_path / "d", description=said)
    rules_broken = {rule for rule, _, _ in found(tmp_path / "d")}
    assert rules_broken == {"wrong-version", "no-column", "wrong-type"}


def test_an_empty_folder_is_no_dataset(tmp_path: Path) -> None:
    assert ("no-data", "data", None) in found(tmp_path)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5)), max_size=12), size=st.integers(1, 5))
def test_order_is_judged_the_same_whatever_the_size_of_a_batch(
    rows: list[tuple[int, int]], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("d") / "d"
    write(folder, [row(subject, at(hour), "OWN//thing", 1.0) for subject, hour in rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "_ROWS", size)
        told = {one.rule for one in violations(folder)}
    by_place = [[hour for subject, hour in rows if subject == one] for one in (1, 2, 3)]
    order = [subject for subject, _ in rows]
    runs = [one for place, one in enumerate(order) if place == 0 or order[place - 1] != one]
    assert ("interleaved" in told) == (len(runs) != len(set(runs)))
    if "interleaved" not in told:
        assert ("unsorted" in told) == any(hours != sorted(hours) for hours in by_place)
