"""Multi-frame and enhanced objects: the kept frame and what is said of it; pictures turned as they are hung."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from clinical_jepa.records.instant import MINUTE
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.dicom import reader
from clinical_jepa.sources.dicom.frames import described, kept
from clinical_jepa.sources.dicom.orientation import upright
from clinical_jepa.sources.dicom.pixels import picture, spacing_mm
from tests.sources.dicom.builders import dataset, ramp, save


def group(**sequences: dict) -> Dataset:
    """One functional group: a sequence of one item by its keyword."""
    out = Dataset()
    for name, values in sequences.items():
        item = Dataset()
        for keyword, value in values.items():
            setattr(item, keyword, value)
        setattr(out, name, Sequence([item]))
    return out


def enhanced() -> Dataset:
    """Three frames of 4 × 6, whose rescale and window differ by frame; spacing and orientation are shared."""
    stacked = np.stack([np.full((4, 6), value, np.uint16) for value in (10, 20, 30)])
    made = dataset(stacked[0], NumberOfFrames=3, PixelSpacing=None)
    made.PixelData = stacked.tobytes()
    made.SharedFunctionalGroupsSequence = Sequence(
        [
            group(
                PixelMeasuresSequence={"PixelSpacing": [0.5, 0.25]},
                PlaneOrientationSequence={"ImageOrientationPatient": [-1, 0, 0, 0, 1, 0]},
                PixelValueTransformationSequence={"RescaleSlope": 1, "RescaleIntercept": 0},
            )
        ]
    )
    made.PerFrameFunctionalGroupsSequence = Sequence(
        [
            group(
                PixelValueTransformationSequence={"RescaleSlope": slope, "RescaleIntercept": -5},
                FrameVOILUTSequence={"WindowCenter": 50, "WindowWidth": 101},
                FrameContentSequence={"FrameAcquisitionDateTime": f"2026010509{20 + slope}00"},
            )
            for slope in (1, 2, 3)
        ]
    )
    return made


def test_the_rescale_and_window_are_those_of_the_kept_frame() -> None:
    expected = (20 * 2 - 5 - 49.5) / 100 + 0.5
    np.testing.assert_allclose(picture(enhanced()), expected, atol=1e-6)
    named = enhanced()
    named.RepresentativeFrameNumber = 3
    np.testing.assert_allclose(picture(named), (30 * 3 - 5 - 49.5) / 100 + 0.5, atol=1e-6)


def test_a_group_of_the_frame_stands_over_the_shared_one_and_that_over_the_top() -> None:
    made = enhanced()
    made.RescaleSlope = 100
    said = described(made, 1)
    assert (said.RescaleSlope, said.RescaleIntercept) == (2, -5)
    assert spacing_mm(said) == (0.5, 0.25)
    assert described(made, 7).RescaleIntercept == 0  # no group of its own: the shared one


def test_an_enhanced_file_gives_one_turned_picture_and_counts_the_rest(tmp_path: Path) -> None:
    made = enhanced()
    made.PixelData = np.stack([np.tile(np.arange(6, dtype=np.uint16), (4, 1))] * 3).tobytes()
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    (batch,) = reader.read(tmp_path / "a.dcm", ReadContext(root=tmp_path))
    (item,) = batch.images
    assert batch.ignored == {"dicom:further frame": 2}
    assert item.spacing_mm == (0.5, 0.25)
    assert (np.diff(item.pixels, axis=1) <= 0).all()  # its rows ran to the patient's right
    assert item.pixels[0, 0] > item.pixels[0, -1]
    assert item.available_time - item.time == 40 * MINUTE  # the frame was taken at 09:22, half an hour before


@pytest.mark.parametrize(
    ("frames", "named", "index"), [(1, None, None), (2, None, 1), (96, None, 48), (5, 2, 1), (5, 9, 2), (5, 0, 2)]
)
def test_the_kept_frame(frames: int, named: int | None, index: int | None) -> None:
    assert kept(dataset(ramp(), NumberOfFrames=frames, RepresentativeFrameNumber=named)) == index


AXES = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "H": (0, 0, 1), "F": (0, 0, -1)}
PLANES = [("L", "P"), ("L", "F"), ("P", "F")]  # as hung: along a row, along a column
OPPOSITE = dict(zip("LRPAHF", "RLAPFH", strict=True))


@pytest.mark.parametrize("hung", PLANES)
@pytest.mark.parametrize("how", list(product((0, 1), repeat=3)))
@pytest.mark.parametrize("cosines", [True, False])
def test_however_a_picture_lies_in_its_file_it_is_hung_alike(hung: tuple, how: tuple, cosines: bool) -> None:
    mirrored, upside_down, on_its_side = how
    truth, spacing = np.arange(12.0).reshape(3, 4), (0.5, 0.2)
    row, column, pixels = *hung, truth
    if mirrored:
        pixels, row = pixels[:, ::-1], OPPOSITE[row]
    if upside_down:
        pixels, column = pixels[::-1], OPPOSITE[column]
    if on_its_side:
        pixels, row, column, spacing = pixels.T, column, row, (0.2, 0.5)
    said = Dataset()
    if cosines:
        said.ImageOrientationPatient = [*AXES[row], *AXES[column]]
    else:
        said.PatientOrientation = [row, column + "L"[: int(column != "L" and row != "L")]]
    turned, found = upright(pixels, spacing, said)
    np.testing.assert_array_equal(turned, truth)
    assert found == (0.5, 0.2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ImageOrientationPatient": [0.7, 0.7, 0, -0.7, 0.7, 0]},
        {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
        {"PatientOrientation": ["R", "L"]},
        {"PatientOrientation": ["X", "F"]},
        {"PatientOrientation": ""},
    ],
)
def test_where_the_file_does_not_say_how_the_patient_lay_nothing_is_turned(changes: dict) -> None:
    said = dataset(ramp(), **changes)
    assert upright(ramp(), None, said)[0] is not None
    np.testing.assert_array_equal(upright(ramp(), None, said)[0], ramp())


def test_a_radiograph_seen_from_behind_is_mirrored(tmp_path: Path) -> None:
    (plain,) = reader.read(save(tmp_path, ramp(), PatientOrientation=["L", "F"]), ReadContext(root=tmp_path))
    (behind,) = reader.read(
        save(tmp_path, ramp()[:, ::-1].copy(), PatientOrientation=["R", "F"]), ReadContext(root=tmp_path)
    )
    np.testing.assert_array_equal(plain.images[0].pixels, behind.images[0].pixels)
