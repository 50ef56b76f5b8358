"""``export meds``, ``check meds`` and ``check tables`` as typed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from clinical_jepa.cli.app import app
from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.sources.tables.mimic3 import reader
from clinical_jepa.store.events import Store
from tests.sources.tables.made import MADE

EXAMPLE = Path(reader.__file__).parent / "examples"


def typed(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasets")
    for name, made in MADE.items():
        made.write(folder / "in" / name)
    done = typed("ingest", folder / "in", "--store", folder / "store")
    assert done.exit_code == 3, done.output  # the example of MIMIC-III has lines that are refused
    return folder / "store"


@pytest.mark.parametrize("view", ["known", "clinical"])
def test_a_store_of_every_data_set_is_a_valid_dataset(store: Path, tmp_path: Path, view: str) -> None:
    done = typed("export", "meds", tmp_path / "meds", "--view", view, "--store", store)
    assert done.exit_code == 0, done.output
    done = typed("check", "meds", tmp_path / "meds")
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "meds: 0 violations")


def test_known_time_is_the_default_view(store: Path, tmp_path: Path) -> None:
    """As published, MEDS time is one column: it is when a row became known, unless the clinical time is asked for."""
    held = Store.open(store).arrivals(BEGINNING, END).events
    for name, options, column in (("default", (), "available_time"), ("clinical", ("--view", "clinical"), "time")):
        assert typed("export", "meds", tmp_path / name, *options, "--store", store).exit_code == 0
        written = pl.concat([pl.read_parquet(path) for path in sorted((tmp_path / name / "data").iterdir())])
        times = {row["event_id"]: row["time"] for row in written.to_dicts()}
        timed = [row for row in held.to_pylist() if row["time"] is not None and row["code"] != "MEDS_BIRTH"]
        assert {row["event_id"]: row[column] for row in timed}.items() <= times.items()
        assert any(row["time"] != row["available_time"] for row in timed)


def test_a_dataset_that_lost_its_codes_fails(store: Path, tmp_path: Path) -> None:
    typed("export", "meds", tmp_path / "meds", "--store", store)
    (tmp_path / "meds" / "metadata" / "codes.parquet").unlink()
    done = typed("check", "meds", tmp_path / "meds")
    assert done.exit_code == 1
    assert done.output.splitlines() == ["metadata/codes.parquet: no-metadata: is not there", "meds: 1 violations"]


def test_an_unknown_view_is_a_bad_request(store: Path, tmp_path: Path) -> None:
    done = typed("export", "meds", tmp_path / "meds", "--view", "future", "--store", store)
    assert done.exit_code != 0
    assert not (tmp_path / "meds").exists()


def test_every_line_of_every_data_set_is_accounted_for(tmp_path: Path) -> None:
    for name, made in MADE.items():
        made.write(tmp_path / name, [*made.rows, *made.spoilt.values()])
    done = typed("check", "tables", tmp_path)
    assert done.exit_code == 0, done.output
    assert "lines that do not add up: none" in done.output.splitlines()[-1]
    assert {"mimic3", "mimic4", "eicu", "cinc2012", "cinc2019"} <= {
        line.split(" ")[0] for line in done.output.splitlines()
    }
    assert "no-time" in done.output


def test_items_that_no_code_map_lists_are_told_by_table(tmp_path: Path) -> None:
    made = MADE["cinc2012"]
    made.write(tmp_path, [*made.rows, "01:00,Mood,3", "02:00,Mood,4", "02:00,Hope,4"])
    lines = typed("check", "tables", tmp_path, "--items").output.splitlines()
    told = [line.split() for line in lines if "Mood" in line or "Hope" in line]
    assert told == [["set-a", "Mood", "2"], ["set-a", "Hope", "1"]]


def test_units_that_the_rows_do_not_state_are_told_by_item(tmp_path: Path) -> None:
    made = MADE["cinc2012"]
    made.write(tmp_path)
    told = [line.split() for line in typed("check", "tables", tmp_path, "--items").output.splitlines()]
    assert ["cinc2012", "set", "HR", "LOINC//8867-4", "/min", "documentation"] in told
    assert ["cinc2012", "set", "Mg", "CINC2012//Mg", "mmol/L", "disputed"] in told
    assert not [line for line in told if line[:1] == ["eicu"]]
    assert "documentation" not in typed("check", "tables", tmp_path).output
    other = MADE["mimic4"]
    other.write(tmp_path / "four")
    lines = [line.split() for line in typed("check", "tables", tmp_path / "four", "--items").output.splitlines()]
    marked = [line for line in lines if line[:1] == ["mimic4"] and line[-1:] == ["documentation"]]
    assert ["mimic4", "chartevents", "223835", "LOINC//3150-6", "%", "documentation"] in marked
    assert "220045" not in {line[2] for line in marked}  # its rows say bpm


def test_a_line_that_is_lost_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clinical_jepa.sources.tables import accounts

    MADE["cinc2012"].write(tmp_path)
    monkeypatch.setattr(
        accounts, "_records", lambda text: text.count(b"\n")
    )  # one more than there are lines below the head
    done = typed("check", "tables", tmp_path)
    assert done.exit_code == 1
    assert "lines that do not add up: set-a" in done.output.splitlines()[-1]


def test_a_folder_without_tables_is_a_bad_request(tmp_path: Path) -> None:
    assert typed("check", "tables", tmp_path).exit_code != 0
