"""Real DICOM (CLINICAL_JEPA_DATA), every file: ingested with pixels equal to the reference's, or refused with its reason.

Many of these files name no patient or no date. The copies here lie beside a ``dicom-site.csv`` that states both, so that
whatever can be read is taken; without it the counts of ``BARE`` hold.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
import pytest

from clinical_jepa.records.batch import ImageItem, Rejection, SignalPiece
from clinical_jepa.records.instant import DAY, iso
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.dicom import decoding, frames, opening, orientation, reader
from clinical_jepa.sources.dicom.pixels import picture
from tests.sources.dicom import reference

pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore")]  # pydicom warns of what these files do wrong
FOLDERS = ("dicom_pydicom", "dicom_chest", "dicom_ny_sbu")

# folder: (files, pictures, ECG objects, objects that are no fact by kind, refused by reason)
COUNTS = {
    "dicom_pydicom": (
        199,
        145,
        1,
        {
            "dicom:Basic Text SR Storage": 2,
            "dicom:Comprehensive SR Storage": 1,
            "dicom:Media Storage Directory Storage": 6,
            "dicom:RT Dose Storage": 6,
            "dicom:RT Ion Plan Storage": 2,
            "dicom:RT Plan Storage": 2,
            "dicom:RT Structure Set Storage": 1,
            "dicom:Segmentation Storage": 9,
            "dicom:VL Whole Slide Microscopy Image Storage": 1,
        },
        {"no-pixels": 11, "unreadable": 12},
    ),
    "dicom_chest": (5, 5, 0, {}, {}),
    "dicom_ny_sbu": (16, 16, 0, {}, {}),
}
BARE = {
    "dicom_pydicom": {"no-subject": 29, "no-time": 14, "no-pixels": 11, "unreadable": 12},
    "dicom_chest": {"no-subject": 1, "no-time": 1},
    "dicom_ny_sbu": {},
}
# what pydicom cannot decode, and as what it lies in quarantine; of "no-pixels" there is nothing to decode
UNREADABLE = {
    "unreadable": {
        "JPEG-lossy.dcm",
        "JPEG2000-embedded-sequence-delimiter.dcm",
        "JPGExtended.dcm",  # sound: 12-bit JPEG Extended, which only the GPL decoder (the extra gpl-jpeg) reads
        "MR_truncated.dcm",
        "badVR.dcm",
        "emri_small_jpeg_2k_lossless_too_short.dcm",
        "genFile.dcm",
        "liver_nonbyte_aligned_rle.dcm",
        "liver_rle.dcm",
        "meta_missing_tsyntax.dcm",
        "nested_priv_SQ.dcm",
        "no_meta.dcm",
    },
    "no-pixels": {
        "GH1146.dcm",
        "Issue1097_FailToOpenDeflatedFileWithSQ.dcm",
        "UN_sequence.dcm",
        "chrJapMulti.dcm",
        "chrJapMultiExplicitIR6.dcm",
        "chrKoreanMulti.dcm",
        "chrSQEncoding.dcm",
        "chrSQEncoding1.dcm",
        "empty_charset_LEI.dcm",
        "no_meta_group_length.dcm",
        "priv_SQ.dcm",
    },
}
# what pydicom cannot decode and this reader can, all of it no picture of a patient
READ_ALL_THE_SAME = {
    "liver_deflate.dcm": "dicom:Segmentation Storage",
    "liver_nonbyte_aligned_deflate.dcm": "dicom:Segmentation Storage",
    "multiframe.dcm": "dicom:VL Whole Slide Microscopy Image Storage",  # its frames differ in size; the kept one decodes
}


@dataclass(frozen=True)
class Read:
    """What came of every file of a folder, by its path within it."""

    items: dict[str, ImageItem] = field(default_factory=dict)
    leads: dict[str, tuple[SignalPiece, ...]] = field(default_factory=dict)
    refused: dict[str, Rejection] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)


def read(folder: Path) -> Read:
    out = Read()
    for path in reader.find(folder):
        name = str(path.relative_to(folder))
        for batch in reader.read(path, ReadContext(root=folder)):
            out.items.update((name, item) for item in batch.images)
            out.refused.update((name, rejection) for rejection in batch.rejections)
            if batch.signals:
                out.leads[name] = batch.signals
            if not batch.images and not batch.signals and not batch.rejections:
                (out.ignored[name],) = batch.ignored
    return out


@pytest.fixture(scope="module")
def stated(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Read]]:
    """Every folder under links, beside a table that states a patient and a time."""
    root = tmp_path_factory.mktemp("dicom")
    (root / "dicom-site.csv").write_text("file,patient,time\n*,SITE-1,2001-02-03T04:05\n")
    for name in FOLDERS:
        for path in (data / name).rglob("*"):
            if path.is_file() and path.suffix not in (".tsv", ".json", ".txt", ".gz"):
                link = root / path.relative_to(data)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path)
    return {name: (root / name, read(root / name)) for name in FOLDERS}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_table_of_counts(stated: dict, folder: str, capsys: pytest.CaptureFixture) -> None:
    _, found = stated[folder]
    ignored, refused = Counter(found.ignored.values()), Counter(one.reason for one in found.refused.values())
    counts = (
        len(found.items) + len(found.leads) + len(found.refused) + len(found.ignored),
        len(found.items),
        len(found.leads),
        dict(sorted(ignored.items())),
        dict(sorted(refused.items())),
    )
    with capsys.disabled():
        what = f"{counts[0]} files, {counts[1]} pictures, {counts[2]} ECGs"
        print(f"\n{folder}: {what}, no fact {counts[3]}, refused {counts[4]}")
    assert counts == COUNTS[folder]


@pytest.mark.parametrize("folder", FOLDERS)
def test_without_a_stated_patient_and_time_the_counts_of_refusals(data: Path, folder: str) -> None:
    refused = read(data / folder).refused
    assert Counter(one.reason for one in refused.values()) == BARE[folder]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_that_the_reference_decodes_is_taken_with_equal_values(stated: dict, folder: str) -> None:
    root, found = stated[folder]
    compared = 0
    for path in reader.find(root):
        name = str(path.relative_to(root))
        try:
            dataset, expected = reference.stored(path)
        except Exception:
            continue
        assert name not in found.refused, name
        index = frames.kept(dataset)
        ours = opening.opened(path)
        np.testing.assert_array_equal(decoding.stored(ours, index), expected, err_msg=name)
        if "SharedFunctionalGroupsSequence" not in dataset:
            np.testing.assert_allclose(picture(ours), reference.picture(dataset, expected), atol=2e-6, err_msg=name)
        if name in found.items:
            turned, _ = orientation.upright(picture(ours), None, frames.described(ours, index))
            np.testing.assert_array_equal(found.items[name].pixels, turned, err_msg=name)
        compared += 1
    assert compared == {"dicom_pydicom": 158, "dicom_chest": 5, "dicom_ny_sbu": 16}[folder]


def test_what_the_reference_cannot_decode_is_refused_as_unreadable_or_without_pixels(stated: dict) -> None:
    root, found = stated["dicom_pydicom"]
    failed: dict[str, set[str]] = {}
    taken = {}
    for path in reader.find(root):
        name = str(path.relative_to(root))
        try:
            reference.stored(path)
        except Exception:
            if name in found.refused:
                failed.setdefault(found.refused[name].reason, set()).add(path.name)
            elif name in found.items or reference_has_pixels(path):
                taken[path.name] = found.ignored.get(name, "picture")
    assert failed == UNREADABLE
    assert taken == READ_ALL_THE_SAME


def reference_has_pixels(path: Path) -> bool:
    dataset = pydicom.dcmread(path, force=True)
    return any(name in dataset for name in reference.PIXELS)


def test_deflated_frames_decode_to_the_same_mask_as_the_uncompressed_file(data: Path) -> None:
    folder = data / "dicom_pydicom" / "pydicom-data"
    plain, deflated = (opening.opened(folder / name) for name in ("liver.dcm", "liver_deflate.dcm"))
    for index in range(3):
        np.testing.assert_array_equal(decoding.stored(deflated, index), decoding.stored(plain, index))


def test_the_twelve_leads_of_the_ecg_object_equal_pydicom(stated: dict, data: Path) -> None:
    (pieces,) = stated["dicom_pydicom"][1].leads.values()
    theirs = pydicom.dcmread(data / "dicom_pydicom" / "test_files" / "waveform_ecg.dcm").waveform_array(0) / 1000
    by_channel = {piece.channel: piece for piece in pieces}
    order = ["I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    for place, lead in enumerate(order):
        piece = by_channel["ECG" if lead == "II" else f"ECG//{lead}"]
        np.testing.assert_allclose(piece.samples, theirs[:, place], atol=1e-6)
        assert (piece.rate_hz, piece.samples.size, iso(piece.time)) == (1000.0, 10000, "2013-01-25T10:59:19Z")
    assert len(pieces) == 12


def test_all_ct_slices_of_ny_sbu_are_read(data: Path) -> None:
    folder = data / "dicom_ny_sbu"
    items = read(folder).items
    for name, item in items.items():
        header = pydicom.dcmread(folder / name, stop_before_pixels=True)
        assert item.subject_id == ReadContext(root=folder).subject(header.PatientID)
        assert item.spacing_mm == tuple(float(value) for value in header.PixelSpacing)
        assert iso(item.time).replace("-", "").startswith(header.StudyDate)
        assert item.time < item.available_time < item.time + DAY
        assert item.pixels.shape == (header.Rows, header.Columns)
    assert len({item.subject_id for item in items.values()}) == 6
    assert Counter(item.available_basis for item in items.values()) == {"issued": 10, "delay": 6}
    assert min(item.time for item in items.values()) < 0  # dates shifted to 1900


def test_bone_is_brighter_than_lung_in_a_ct(data: Path) -> None:
    folder = data / "dicom_ny_sbu"
    for name, item in read(folder).items.items():
        dataset = pydicom.dcmread(folder / name)
        units = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        assert item.pixels[units > 300].mean() > item.pixels[(units > -950) & (units < -700)].mean()


def test_chest_radiographs_are_dense_bright_whatever_their_photometric_interpretation(stated: dict) -> None:
    _, found = stated["dicom_chest"]
    plain, turned = (found.items[name].pixels for name in sorted(found.items) if name.startswith("txv"))
    np.testing.assert_allclose(plain, 1 - turned, atol=1e-6)  # the same picture relabelled MONOCHROME1
    nema = found.items["nema_RG1_J2KI_cr_pa.dcm"].pixels  # a true MONOCHROME1 film: the mediastinum is denser than lung
    rows, columns = nema.shape
    middle = nema[rows // 2, int(columns * 0.47) : int(columns * 0.53)].mean()
    assert middle > nema[int(rows * 0.4), int(columns * 0.2) : int(columns * 0.3)].mean()
