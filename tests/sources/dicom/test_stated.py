"""dicom-site.csv: it fills what files leave empty, changes nothing that they say, and is read anew when it changes."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from clinical_jepa.records.instant import HOUR
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.dicom import reader
from tests.sources.dicom.builders import ramp, save
from tests.sources.dicom.test_reader import STUDY

UNDATED = {"StudyDate": None, "AcquisitionDate": None}


def table(folder: Path, *rows: str) -> Path:
    path = folder / "dicom-site.csv"
    path.write_text("\n".join(("file,patient,time", *rows)) + "\n")
    return path


def test_it_fills_what_a_file_leaves_empty(tmp_path: Path) -> None:
    table(tmp_path, "other/*,77,2020-01-01", "deep/*.dcm,123,2026-01-05T10:12:00")
    (tmp_path / "deep").mkdir()
    path = save(tmp_path / "deep", ramp(), PatientID="", **UNDATED)
    (batch,) = reader.read(path, ReadContext(root=tmp_path, zone=ZoneInfo("Europe/Berlin")))
    (item,) = batch.images
    assert item.time == STUDY
    assert item.subject_id == ReadContext(root=tmp_path).subject("123")


def test_what_a_file_says_stands(tmp_path: Path) -> None:
    table(tmp_path, "*,77,1999-01-01T00:00Z")
    (batch,) = reader.read(save(tmp_path, ramp()), ReadContext(root=tmp_path))
    assert batch.images[0].time == STUDY
    assert batch.images[0].subject_id == ReadContext(root=tmp_path).subject("123")


def test_an_offset_in_the_table_counts(tmp_path: Path) -> None:
    table(tmp_path, "a.dcm,,2026-01-05T10:12:00+02:00")
    (batch,) = reader.read(save(tmp_path, ramp(), **UNDATED), ReadContext(root=tmp_path))
    assert batch.images[0].time == STUDY - HOUR


def test_a_table_is_part_of_the_unit_so_that_a_new_one_is_read_again(tmp_path: Path) -> None:
    path = save(tmp_path, ramp(), **UNDATED)
    assert reader.parts(path) == [path]
    made = table(tmp_path, "b.dcm,1,2026-01-05")
    assert reader.parts(path) == [path, made]
    (batch,) = reader.read(path, ReadContext(root=tmp_path))
    assert [r.reason for r in batch.rejections] == ["no-time"]
    assert "dicom-site.csv" in batch.rejections[0].message


FAULTS = {
    "file;patient;time\n": "its columns are not file, patient, time",
    "file,patient,time\n*,1,yesterday\n": "line 2: its time is none of ISO 8601",
    "\xff\xfe": "is no table in UTF-8",
}


@pytest.mark.fault(
    source="dicom", fault="damaged site table", ends="the files that need it are refused, the others are read"
)
@pytest.mark.parametrize("content", FAULTS)
def test_a_broken_table_costs_the_files_that_need_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "dicom-site.csv").write_bytes(content.encode("latin-1"))
    (batch,) = reader.read(save(tmp_path, ramp(), **UNDATED), ReadContext(root=tmp_path))
    (refusal,) = batch.rejections
    assert (refusal.reason, refusal.file) == ("invalid", "a.dcm")
    assert f"dicom-site.csv {FAULTS[content]}".replace(" its columns", ": its columns") in refusal.message
    assert "yesterday" not in refusal.message
    (whole,) = reader.read(save(tmp_path, ramp()), ReadContext(root=tmp_path))
    assert len(whole.images) == 1


def test_a_bad_row_costs_the_files_that_it_is_for(tmp_path: Path) -> None:
    table(tmp_path, "a.dcm,1,yesterday", "b.dcm,1,2026-01-05")
    (first,) = reader.read(save(tmp_path, ramp(), "a.dcm", **UNDATED), ReadContext(root=tmp_path))
    assert [one.reason for one in first.rejections] == ["invalid"]
    (second,) = reader.read(save(tmp_path, ramp(), "b.dcm", **UNDATED), ReadContext(root=tmp_path))
    assert len(second.images) == 1
