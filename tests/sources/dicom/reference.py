"""What pydicom and its plug-ins alone say of a file: the oracle for stored values and for pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ImplicitVRLittleEndian

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def stored(path: Path) -> tuple[pydicom.Dataset, np.ndarray]:
    """``(dataset, the frame that is kept)`` by pydicom with force; raises where pydicom cannot."""
    dataset = pydicom.dcmread(path, force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    whole = pixel_array(dataset)  # every frame must decode
    frames = int(dataset.get("NumberOfFrames") or 1)
    return dataset, whole if frames == 1 else whole[frames // 2]


def picture(dataset: pydicom.Dataset, pixels: np.ndarray) -> np.ndarray:
    """[0, 1], dense bright, step by step over the whole array, in float64; top-level attributes only."""
    pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    photometric = dataset.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        return pixels[..., :3] @ np.array([0.299, 0.587, 0.114]) / np.iinfo(pixels.dtype).max
    if pixels.ndim == 3:
        return pixels @ np.array([0.299, 0.587, 0.114]) / (2.0**dataset.BitsStored - 1)
    outside = np.zeros(pixels.shape, bool)
    if "PixelPaddingValue" in dataset:
        outside = pixels == dataset.PixelPaddingValue
    values = apply_modality_lut(pixels, dataset)
    if "VOILUTSequence" in dataset and values.dtype.kind in "iu":
        out = apply_voi(values, dataset) / (2.0 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1)
    else:
        out = _windowed(dataset, values.astype(np.float64), outside)
    out = 1 - out if photometric == "MONOCHROME1" else out
    out[outside] = 0
    return out


def _windowed(dataset: pydicom.Dataset, values: np.ndarray, outside: np.ndarray) -> np.ndarray:
    center, width = dataset.get("WindowCenter"), dataset.get("WindowWidth")
    if center is None or width is None:
        low, high = np.percentile(values[~outside], [0.5, 99.5])
        return np.zeros_like(values) if high <= low else np.clip((values - low) / (high - low), 0, 1)
    center, width = (float(np.ravel(value)[0]) for value in (center, width))
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)
