"""DICOM files: subject, times, ids, and each refusal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from clinical_jepa.records.batch import ImageItem, Rejection
from clinical_jepa.records.instant import HOUR, MINUTE, to_us
from clinical_jepa.sources.context import DELAYS, ReadContext
from clinical_jepa.sources.dicom import reader
from tests.sources.dicom.builders import ramp, save

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")  # pydicom says what is planted

STUDY = to_us(datetime(2026, 1, 5, 9, 12, tzinfo=UTC))
TAKEN = to_us(datetime(2026, 1, 5, 9, 15, 30, 250_000, tzinfo=UTC))
EXAMPLES = Path(reader.__file__).parent / "examples"


def read(path: Path, *, force: bool = False, **options: object) -> tuple[list[ImageItem], list[Rejection]]:
    batches = list(reader.read(path, ReadContext(root=path.parent, **options), force=force))  # type: ignore[arg-type]
    return [item for batch in batches for item in batch.images], [r for batch in batches for r in batch.rejections]


def test_a_file_becomes_one_picture_at_its_study_time(tmp_path: Path) -> None:
    (item,), rejections = read(save(tmp_path, ramp()))
    assert rejections == []
    assert (item.modality, item.view, item.spacing_mm) == ("CR", "AP", (0.2, 0.1))
    assert (item.time, item.available_time, item.available_basis) == (STUDY, TAKEN + 30 * MINUTE, "delay")
    assert item.subject_id == ReadContext(root=tmp_path).subject("123")
    assert item.pixels.shape == (24, 40)


@pytest.mark.parametrize(
    ("changes", "options", "time", "available", "basis"),
    [
        ({"InstanceCreationDate": "20260105", "InstanceCreationTime": "0940"}, {}, 0, 28 * MINUTE, "issued"),
        ({"InstanceCreationDate": "20260104", "InstanceCreationTime": "0940"}, {}, 0, TAKEN - STUDY, "clamped"),
        ({}, {"delays": DELAYS | {"image": None}}, 0, TAKEN - STUDY, "assumed"),
        ({}, {"zone": ZoneInfo("Europe/Berlin")}, -HOUR, TAKEN - STUDY - 30 * MINUTE, "delay"),
        ({"TimezoneOffsetFromUTC": "-0330"}, {}, 210 * MINUTE, TAKEN - STUDY + 240 * MINUTE, "delay"),
        ({"StudyDate": "2026.01.05", "StudyTime": "09:12:00"}, {}, 0, TAKEN - STUDY + 30 * MINUTE, "delay"),
        ({"StudyTime": None}, {}, TAKEN - STUDY, TAKEN - STUDY + 30 * MINUTE, "delay"),
    ],
)
def test_times(tmp_path: Path, changes: dict, options: dict, time: int, available: int, basis: str) -> None:
    (item,), _ = read(save(tmp_path, ramp(), **changes), **options)
    assert (item.time - STUDY, item.available_time - STUDY, item.available_basis) == (time, available, basis)


NO_TIME = pytest.mark.fault(source="dicom", fault="missing time", ends="refused as no-time, unless the site states it")
UNDATED = {"StudyDate": None, "AcquisitionDate": ""}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"PixelData": None}, "no-pixels"),
        ({"PixelData": b""}, "no-pixels"),
        ({"PatientID": None}, "no-subject"),
        ({"PatientID": "  "}, "no-subject"),
        pytest.param(UNDATED, "no-time", marks=NO_TIME),
        ({"StudyDate": "20261332", "AcquisitionDate": None}, "no-time"),
        ({"Rows": 500}, "unreadable"),
        ({"Rows": None}, "unreadable"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(tmp_path: Path, changes: dict, reason: str) -> None:
    items, rejections = read(save(tmp_path, ramp(), **changes))
    assert items == []
    assert [r.reason for r in rejections] == [reason]
    assert "000123" not in rejections[0].message


@pytest.mark.parametrize("content", [b"", b"\0" * 128 + b"DICM", b"<html></html>"])
def test_a_file_that_is_no_dicom_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    items, rejections = read(path)
    assert items == []
    assert [r.reason for r in rejections] == ["unreadable"]


@pytest.mark.fault(source="dicom", fault="truncation", ends="refused as unreadable; the other files are taken")
def test_a_file_cut_off_in_its_pixels_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, ramp())
    path.write_bytes(path.read_bytes()[:-300])
    assert [r.reason for r in read(path)[1]] == ["unreadable"]


def headless(path: Path, *, implicit: bool = True, little: bool = True, **changes: object) -> Path:
    from tests.sources.dicom.builders import dataset

    made = dataset(ramp() if little else ramp().byteswap(), **changes)
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = implicit, little
    write_dataset(stream, made)
    path.write_bytes(stream.getvalue())
    return path


@pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
def test_a_headless_file_that_proves_to_be_dicom_is_read(tmp_path: Path, implicit: bool, little: bool) -> None:
    path = headless(tmp_path / "bare", implicit=implicit, little=little)
    assert reader.find(tmp_path) == [path]
    (item,), _ = read(path)
    np.testing.assert_array_equal(item.pixels, read(save(tmp_path, ramp()))[0][0].pixels)


def test_without_class_and_fitting_pixels_a_headless_file_is_refused_unless_forced(tmp_path: Path) -> None:
    path = headless(tmp_path / "bare.dcm", SOPClassUID="1.2.3", Rows=23)
    assert [r.reason for r in read(path)[1]] == ["unreadable"]
    assert "prove" in read(path)[1][0].message
    (item,), _ = read(path, force=True)
    assert item.pixels.shape == (23, 40)


def test_fitting_pixels_prove_a_headless_file_without_a_known_class(tmp_path: Path) -> None:
    (item,), _ = read(headless(tmp_path / "bare.dcm", SOPClassUID="1.2.3"))
    assert item.pixels.shape == (24, 40)


def test_files_are_found_by_preamble_or_name(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    named = save(tmp_path, ramp(), "b.dcm")
    unnamed = save(tmp_path / "deep", ramp(), "IM0001")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "DICOMDIR").write_bytes(unnamed.read_bytes())
    assert reader.find(tmp_path) == [named, unnamed]
    assert reader.find(named) == [named]


def test_ids_are_stable_and_a_changed_picture_is_a_new_version_of_the_same_fact(tmp_path: Path) -> None:
    (first,), (again,) = read(save(tmp_path, ramp()))[0], read(save(tmp_path, ramp()))[0]
    (changed,), _ = read(save(tmp_path, ramp()[::-1].copy()))
    assert (first.event_id, first.fact_id) == (again.event_id, again.fact_id)
    assert changed.fact_id == first.fact_id
    assert changed.event_id != first.event_id


def test_the_committed_example_reads_without_a_refusal() -> None:
    found = reader.find(EXAMPLES)
    assert len(found) == 1
    items, rejections = read(found[0])
    assert rejections == []
    assert items[0].view == "AP"


@settings(max_examples=150, deadline=None)
@given(
    places=st.lists(st.tuples(st.integers(132, 1600), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 20000),
)
@pytest.mark.filterwarnings("ignore")
def test_wrong_bytes_or_a_cut_never_raise(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray((EXAMPLES / "chest.dcm").read_bytes())
    for place, byte in places:
        content[place % len(content)] = byte
    path = tmp_path_factory.mktemp("damage") / "a.dcm"
    path.write_bytes(content[:cut] if cut < len(content) else content)
    items, rejections = read(path)
    assert len(items) + len(rejections) == 1


def test_an_element_that_cannot_be_converted_is_a_refusal(tmp_path: Path) -> None:
    path = save(tmp_path, ramp())
    content = path.read_bytes()
    at = content.index(b"\x08\x00\x20\x00DA")  # StudyDate
    path.write_bytes(content[: at + 4] + b"T@" + content[at + 6 :])
    assert [r.reason for r in read(path)[1]] == ["unreadable"]
