"""Files that no reader takes are named; what belongs to a unit, to a data set or to the site is not."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from clinical_jepa.intake import alone, dicomweb, state
from clinical_jepa.sources import catalog
from clinical_jepa.sources.dicom import stated
from clinical_jepa.sources.others import Others, others
from clinical_jepa.sources.wfdb import placing
from tests.ingest.test_unread_files import everything
from tests.permissions import modes_hold
from tests.sources.meds.made import write
from tests.sources.tables.made import MADE
from tests.sources.wfdb.test_doubt import closed
from tests.sources.wfdb.test_growing import NAME, ward


def left(root: Path, apart: Path | None = None) -> Others:
    return others(root, catalog.find(root), apart)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A little of every source, all of it recognised."""
    root = everything(tmp_path)
    ward(root / "monitor")
    write(root / "meds")
    for kind, made in MADE.items():
        made.write(root / kind)
    return root


def test_what_comes_with_data_is_recognised(whole: Path) -> None:
    names = [
        "README.md",
        "readme",
        "LICENSE.txt",
        "RECORDS",
        "RECORDS-numerics",
        "SHA256SUMS.txt",
        "MD5SUMS",
        "a.dcm.sha256",
    ]
    names += ["DICOMDIR", "index.html", ".hidden", "half.part", stated.NAME, placing.FILE]
    names += [alone.FILE, state.FILE, f"{state.FILE}-wal", dicomweb.CURSOR]
    for name in names:
        (whole / name).touch()
    (whole / ".git").mkdir()
    (whole / ".git" / "config").touch()
    assert {one.kind for one in catalog.find(whole)} == set(catalog.KINDS)
    assert left(whole) == Others()


@pytest.mark.fault(source="ingest", fault="files of no known format", ends="counted and named; the others are read")
def test_what_nobody_takes_is_named_from_the_root_in_a_form_that_can_be_shown(whole: Path) -> None:
    strays = [
        "notes.pdf",
        "monitor/export.xlsx",
        "fhir/plain.json",
        "records.csv",
        "readme.pdf",
        "monitor/p000123_0001.xyz",
    ]
    for name in strays:
        (whole / name).write_text("{}")
    (whole / os.fsdecode(b"bad\xff.bin")).touch()
    found = left(whole).files
    assert set(strays) < set(found)
    assert len(found) == len(strays) + 1
    assert r"bad\xff.bin" in found


def test_a_store_among_the_data_is_no_stray(whole: Path, tmp_path: Path) -> None:
    (whole / "store").mkdir()
    (whole / "store" / "segment.arrow").touch()
    assert left(whole).files == ("store/segment.arrow",)
    assert left(whole, apart=whole / "store") == Others()


def test_a_file_given_by_itself_has_no_others(whole: Path) -> None:
    assert left(whole / "fhir" / "Observation.ndjson") == Others()


def test_no_file_is_opened(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = catalog.find(whole / "dicom")
    (whole / "dicom" / "note.pdf").touch()
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("a file was opened"))
    assert others(whole / "dicom", found).files == ("note.pdf",)


def test_files_of_a_record_that_cannot_be_read_are_no_strays(tmp_path: Path) -> None:
    root = ward(tmp_path / "in")
    with closed(root / f"{NAME}.hea"):
        assert left(root) == Others()


@pytest.mark.fault(
    source="ingest", fault="no permission to look into a folder", ends="the folder is named; the others are read"
)
def test_a_folder_that_may_not_be_looked_into_is_named(whole: Path) -> None:
    shutil.copytree(whole / "fhir", whole / "more" / "fhir")
    (whole / "more").chmod(0)
    with modes_hold():
        assert left(whole) == Others(closed=("more",))
    (whole / "more").chmod(0o700)


def test_a_link_to_a_folder_is_named_unless_that_is_read_in_its_place(whole: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(whole / "fhir", elsewhere)
    (whole / "linked").symlink_to(elsewhere)
    (whole / "up").symlink_to(tmp_path)
    (whole / "hl7v2" / "again").symlink_to(whole / "fhir")
    (whole / "loop").symlink_to(whole)
    (whole / ".hidden").symlink_to(elsewhere)
    assert not [one for one in catalog.find(whole) if "linked" in one.path.parts]
    assert left(whole).files == ("linked", "up")


def test_what_fhir_files_rest_on_is_not_looked_up_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CapabilityStatement.json", "Patient.ndjson", "Observation.ndjson"):
        (tmp_path / name).write_text(json.dumps({"resourceType": name.partition(".")[0]}))
    (tmp_path / "x.bin").touch()
    monkeypatch.setattr("clinical_jepa.sources.fhir.reader.parts", lambda _: pytest.fail("looked up"))
    assert left(tmp_path).files == ("x.bin",)
