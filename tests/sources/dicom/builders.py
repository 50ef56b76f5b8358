"""Small DICOM files, written with pydicom; the reader under test has no part in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

HEADER = {
    "PatientID": "000123",
    "Modality": "CR",
    "StudyDate": "20260105",
    "StudyTime": "091200",
    "AcquisitionDate": "20260105",
    "AcquisitionTime": "091530.25",
    "PixelSpacing": [0.2, 0.1],
    "ViewPosition": "AP",
}


def dataset(pixels: np.ndarray | None, **changes: Any) -> FileDataset:
    """A CR picture of ``[rows, columns]`` uint16 or int16; a change to None removes the element."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["clinical-jepa", repr(sorted(changes))])
    made = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    if pixels is not None:
        made.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
        made.Rows, made.Columns = pixels.shape[:2]
        made.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
        if pixels.ndim == 3:
            made.PlanarConfiguration = 0
        made.BitsAllocated = made.BitsStored = pixels.dtype.itemsize * 8
        made.HighBit = made.BitsStored - 1
        made.PixelRepresentation = int(pixels.dtype.kind == "i")
        made.PixelData = pixels.tobytes()
    for name, value in (HEADER | changes).items():
        if value is None:
            if name in made:
                delattr(made, name)
        else:
            setattr(made, name, value)
    return made


def save(folder: Path, pixels: np.ndarray | None, name: str = "a.dcm", **changes: Any) -> Path:
    path = folder / name
    dataset(pixels, **changes).save_as(path, enforce_file_format=True)
    return path


def ramp(rows: int = 24, columns: int = 40) -> np.ndarray:
    """uint16 stored values from 0 to 4095, no two rows alike."""
    return np.linspace(0, 4095, rows * columns).round().astype(np.uint16).reshape(rows, columns)
