"""Real DICOM (CLINICAL_JEPA_DATA): CT of COVID-19-NY-SBU, chest radiographs, and pydicom's own difficult files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest

from clinical_jepa.records.batch import ImageItem, Rejection
from clinical_jepa.records.events import REASONS
from clinical_jepa.records.instant import DAY, iso
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.dicom import reader

pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore")]  # pydicom warns of what these files do wrong


def read(folder: Path) -> tuple[dict[str, ImageItem], dict[str, Rejection]]:
    items, rejections = {}, {}
    for path in reader.find(folder):
        for batch in reader.read(path, ReadContext(root=folder)):
            items |= {str(path.relative_to(folder)): item for item in batch.images}
            rejections |= {str(path.relative_to(folder)): rejection for rejection in batch.rejections}
    return items, rejections


def test_all_ct_slices_of_ny_sbu_are_read(data: Path) -> None:
    folder = data / "dicom_ny_sbu"
    items, rejections = read(folder)
    assert rejections == {}
    assert len(items) == 16
    for name, item in items.items():
        header = pydicom.dcmread(folder / name, stop_before_pixels=True)
        assert item.subject_id == ReadContext(root=folder).subject(header.PatientID)
        assert item.spacing_mm == tuple(float(value) for value in header.PixelSpacing)
        assert iso(item.time).replace("-", "").startswith(header.StudyDate)
        assert item.time < item.available_time < item.time + DAY
        assert item.pixels.shape == (header.Rows, header.Columns)
        assert 0 <= item.pixels.min() < item.pixels.max() <= 1
    assert len({item.subject_id for item in items.values()}) == 6
    assert Counter(item.available_basis for item in items.values()) == {"issued": 10, "delay": 6}


def test_bone_is_brighter_than_lung_in_a_ct(data: Path) -> None:
    folder = data / "dicom_ny_sbu"
    items, _ = read(folder)
    for name, item in items.items():
        dataset = pydicom.dcmread(folder / name)
        units = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        assert item.pixels[units > 300].mean() > item.pixels[(units > -950) & (units < -700)].mean()


def test_chest_radiographs(data: Path) -> None:
    items, rejections = read(data / "dicom_chest")
    assert {name: rejection.reason for name, rejection in rejections.items()} == {
        "barre_CR-MONO1-10-chest_headless.dcm": "unreadable",
        "nih_cxr14_google_dx.dcm": "no-time",
    }
    names = sorted(items)
    assert [items[name].view for name in names] == ["PA", "PA", "PA"]
    plain, turned = (items[name].pixels for name in names if name.startswith("txv"))
    np.testing.assert_allclose(plain, 1 - turned, atol=1e-6)  # the same picture relabelled MONOCHROME1
    nema = items["nema_RG1_J2KI_cr_pa.dcm"].pixels  # a true MONOCHROME1 film: the mediastinum is denser than lung
    rows, columns = nema.shape
    middle = nema[rows // 2, int(columns * 0.47) : int(columns * 0.53)].mean()
    assert middle > nema[int(rows * 0.4), int(columns * 0.2) : int(columns * 0.3)].mean()


def test_a_headless_radiograph_is_read_when_asked(data: Path) -> None:
    path = data / "dicom_chest" / "barre_CR-MONO1-10-chest_headless.dcm"
    (batch,) = reader.read(path, ReadContext(root=path.parent), force=True)
    assert [r.reason for r in batch.rejections] in ([], ["no-subject"], ["no-time"])


def test_difficult_files_are_read_or_refused_and_never_crash(data: Path) -> None:
    items, rejections = read(data / "dicom_pydicom")
    assert len(items) + len(rejections) == 199
    assert {rejection.reason for rejection in rejections.values()} <= set(REASONS)
    assert Counter(r.reason for r in rejections.values())["unreadable"] == 19
    for item in items.values():
        assert item.pixels.ndim == 2
        assert item.pixels.dtype == np.float32
        assert np.isfinite(item.pixels).all()
        assert item.pixels.min() >= 0
        assert item.pixels.max() <= 1
