"""Pictures: pydicom's own arrays and LUTs are the oracle; dense is bright whatever the photometric interpretation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian

from clinical_jepa.sources.dicom.pixels import picture, spacing_mm, window
from tests.sources.dicom import reference
from tests.sources.dicom.builders import dataset, ramp, save


@settings(max_examples=80)
@given(
    kind=st.sampled_from([np.uint8, np.uint16, np.int16]),
    photometric=st.sampled_from(["MONOCHROME1", "MONOCHROME2"]),
    slope=st.sampled_from([1, 2.5, 0.01]),
    intercept=st.integers(-1024, 100),
    window=st.none() | st.tuples(st.integers(-500, 500), st.integers(2, 3000)),
    padding=st.none() | st.integers(0, 60),
    seed=st.integers(0, 99),
)
def test_any_grey_picture_is_that_of_pydicom_step_by_step(
    kind: type, photometric: str, slope: float, intercept: int, window: tuple | None, padding: int | None, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 60, (31, 17)).astype(kind) * kind(draw.integers(1, 4))
    made = dataset(pixels, PhotometricInterpretation=photometric, RescaleSlope=slope, RescaleIntercept=intercept)
    if window is not None:
        made.WindowCenter, made.WindowWidth = window
    if padding is not None:
        made.PixelPaddingValue = padding
    if (pixels == padding).all():
        return
    np.testing.assert_allclose(picture(made), reference.picture(made, pixels), atol=1e-6)


def test_without_a_window_the_stored_range_is_spread_from_0_to_1() -> None:
    out = picture(dataset(ramp()))
    assert out.shape == (24, 40)
    assert out.dtype == np.float32
    assert (np.diff(out.ravel()) >= 0).all()
    assert (out.min(), out.max()) == (0.0, 1.0)
    assert out[12, 0] == pytest.approx(0.5, abs=0.01)


def test_one_hot_pixel_does_not_darken_the_rest() -> None:
    pixels = ramp()
    pixels[0, 0] = 65535
    assert picture(dataset(pixels))[12, 0] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.filterwarnings("ignore:overflow")
@given(center=st.floats(-500, 4500), width=st.floats(2, 4000))
def test_windows_are_those_of_pydicom(function: str, center: float, width: float) -> None:
    made = Dataset()
    made.BitsStored, made.PixelRepresentation, made.PhotometricInterpretation = 12, 0, "MONOCHROME2"
    made.WindowCenter, made.WindowWidth, made.VOILUTFunction = f"{center:.6g}", f"{width:.6g}", function
    values = ramp().astype(np.float64)
    found = window(values, float(made.WindowCenter), float(made.WindowWidth), function)
    np.testing.assert_allclose(found, apply_windowing(values, made) / 4095, atol=1e-9)


def test_the_window_is_stated_after_the_rescale_and_the_first_of_several_counts() -> None:
    out = picture(
        dataset(ramp(), RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=[1000, 0], WindowWidth=[2001, 1])
    )
    expected = np.clip((ramp() * 2.0 - 1000 - 999.5) / 2000 + 0.5, 0, 1)
    np.testing.assert_allclose(out, expected, atol=1e-6)


def test_monochrome1_is_inverted() -> None:
    options = {"WindowCenter": 2000, "WindowWidth": 3000}
    plain = picture(dataset(ramp(), **options))
    turned = picture(dataset(ramp(), PhotometricInterpretation="MONOCHROME1", **options))
    np.testing.assert_allclose(turned, 1 - plain, atol=1e-6)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_dark_and_does_not_stretch_the_range(photometric: str) -> None:
    pixels = ramp().astype(np.int16)
    pixels[:, :10] = -2000
    out = picture(dataset(pixels, PixelPaddingValue=-2000, PhotometricInterpretation=photometric))
    assert not out[:, :10].any()
    assert out[12, 10:].mean() == pytest.approx(0.5, abs=0.05)


def test_a_voi_lut_is_applied() -> None:
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table.LUTData = (np.arange(4096)[::-1] * 16).astype(np.uint16).tolist()
    made = dataset(ramp(), VOILUTSequence=Sequence([table]))
    made["VOILUTSequence"][0]["LUTDescriptor"].VR = "US"
    made["VOILUTSequence"][0]["LUTData"].VR = "US"
    np.testing.assert_allclose(picture(made), (4095 - ramp()) * 16 / 65535, atol=1e-6)


def test_a_modality_lut_is_applied_before_the_range() -> None:
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table.LUTData = (np.arange(4096)[::-1] * 16).astype(np.uint16).tolist()
    table.ModalityLUTType = "US"
    made = dataset(ramp(), ModalityLUTSequence=Sequence([table]))
    made["ModalityLUTSequence"][0]["LUTDescriptor"].VR = "US"
    made["ModalityLUTSequence"][0]["LUTData"].VR = "US"
    assert (np.diff(picture(made).ravel()) <= 0).all()


def test_big_endian_files_give_the_same_picture(tmp_path: Path) -> None:
    little = picture(dataset(ramp()))
    made = dataset(ramp(), PixelData=ramp().astype(">u2").tobytes())
    made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dcmwrite(tmp_path / "big.dcm", made, enforce_file_format=True)
    out = picture(dcmread(tmp_path / "big.dcm"))
    assert out.dtype == np.dtype("float32")
    assert out.dtype.isnative
    np.testing.assert_array_equal(out, little)


def test_of_several_frames_the_middle_one_is_taken() -> None:
    frames = np.stack([np.full((4, 6), value, np.uint16) for value in (0, 10, 20, 30, 40)])
    made = dataset(frames[0], NumberOfFrames=5, WindowCenter=20, WindowWidth=41)
    made.PixelData = frames.tobytes()
    np.testing.assert_allclose(picture(made), (20 - 19.5) / 40 + 0.5)


def test_colours_become_luminance() -> None:
    colours = np.zeros((2, 4, 3), np.uint8)
    colours[:, 0], colours[:, 1], colours[:, 2], colours[:, 3] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
    np.testing.assert_allclose(picture(dataset(colours))[0], [0.299, 0.587, 0.114, 1.0], atol=1e-6)


def test_a_blank_picture_is_black_and_no_error() -> None:
    assert not picture(dataset(np.full((8, 8), 700, np.uint16))).any()


@pytest.mark.parametrize(
    ("changes", "spacing"),
    [
        ({}, (0.2, 0.1)),
        ({"ImagerPixelSpacing": [0.5, 0.4]}, (0.2, 0.1)),
        ({"PixelSpacing": None, "ImagerPixelSpacing": [0.5, 0.4]}, (0.5, 0.4)),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.5, 0.4]}, (0.5, 0.4)),
        ({"PixelSpacing": None}, None),
    ],
)
def test_spacing(tmp_path: Path, changes: dict, spacing: tuple | None) -> None:
    assert spacing_mm(dcmread(save(tmp_path, ramp(), **changes))) == spacing


def region(x: float, y: float, units: int = 3) -> Dataset:
    out = Dataset()
    out.PhysicalUnitsXDirection = out.PhysicalUnitsYDirection = units
    out.PhysicalDeltaX, out.PhysicalDeltaY = x, y
    return out


@pytest.mark.parametrize(
    ("regions", "spacing"),
    [
        ([region(0.02, 0.05)], (0.5, 0.2)),
        ([region(0.02, -0.05), region(0.02, 0.05)], (0.5, 0.2)),
        ([region(0.02, 0.05), region(0.03, 0.05)], None),
        ([region(0.02, 0.05, units=4)], None),
        ([region(0.0, 0.05)], None),
        ([], None),
    ],
)
def test_the_spacing_of_ultrasound_is_that_of_its_regions(regions: list, spacing: tuple | None) -> None:
    made = dataset(ramp(), PixelSpacing=None)
    made.SequenceOfUltrasoundRegions = Sequence(regions)
    assert spacing_mm(made) == (None if spacing is None else pytest.approx(spacing))
