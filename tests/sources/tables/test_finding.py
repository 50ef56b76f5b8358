"""Which units a folder holds: damaged ones too, and nothing that only looks like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_jepa.sources.tables.data_sets import reader
from tests.sources.tables.made import MADE, Made, packed


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_a_data_set_is_found_below_a_folder_and_by_the_path_of_a_table(made: Made, tmp_path: Path) -> None:
    made.write(tmp_path / "deep" / "down")
    unit = made.unit(tmp_path / "deep" / "down")
    assert unit in reader(made.data_set).find(tmp_path)
    if unit.is_file():
        assert reader(made.data_set).find(unit) == [unit]


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_each_data_set_is_found_by_its_own_reader_only(made: Made, tmp_path: Path) -> None:
    made.write(tmp_path)
    assert [name for name, other in MADE.items() if reader(other.data_set).find(tmp_path)] == [made.data_set]


@pytest.mark.parametrize("name", ["cinc2012", "cinc2019"])
def test_a_damaged_zip_is_found_so_that_it_is_refused(name: str, tmp_path: Path) -> None:
    made = MADE[name]
    made.write(tmp_path)
    whole = packed(made.unit(tmp_path))
    whole.write_bytes(whole.read_bytes()[:20])
    assert reader(made.data_set).find(tmp_path) == reader(made.data_set).find(whole) == [whole]


def test_files_that_are_only_called_like_stays_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "202611.txt").write_text("minutes of a meeting\n")
    (tmp_path / "p000001.psv").write_text("a|b\n1|2\n")
    (tmp_path / "patient.csv").write_text("id,name\n1,x\n")
    assert [name for name, made in MADE.items() if reader(made.data_set).find(tmp_path)] == []


def test_a_part_of_a_table_is_read_as_that_table(tmp_path: Path) -> None:
    made = MADE["eicu"]
    path = made.write(tmp_path)
    path.rename(path.with_name("lab.some-stays.csv"))
    assert [one.name for one in reader("eicu").find(tmp_path)] == ["patient.csv", "lab.some-stays.csv", "hospital.csv"]
