"""Chest images as valid DICOM: CR or DX, some MONOCHROME1, study time, spacing and when the instance was created."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clinical_jepa.simulate.config import moment
from clinical_jepa.simulate.patients import Array

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

_CLASSES = {"CR": "1.2.840.10008.5.1.4.1.1.1", "DX": "1.2.840.10008.5.1.4.1.1.1.1"}
_BITS = 12


class Exposure(NamedTuple):
    """Moments in seconds after the ward's start; ``studied`` is the study's, ``created`` the file's."""

    mrn: str
    number: int
    modality: str
    inverted: bool  # MONOCHROME1: dense is dark
    female: bool
    studied: int
    acquired: int
    created: int


def uid(exposure: Exposure, level: str) -> str:
    """The unique id of the study, the series or the instance; the same for the same patient, seed and number."""
    from pydicom.uid import generate_uid

    return str(generate_uid(prefix="2.25.", entropy_srcs=["simulated ward", exposure.mrn, str(exposure.number), level]))


def write(folder: Path, exposure: Exposure, density: Array) -> Path:
    """Writes one image; ``density`` is ``[rows, columns]`` in [0, 1], dense is bright."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, ExplicitVRLittleEndian

    folder.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(_CLASSES[exposure.modality])
    meta.MediaStorageSOPInstanceUID = UID(uid(exposure, "instance"))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    path = folder / f"{exposure.modality.lower()}-{exposure.number:02d}.dcm"
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    _who_and_when(dataset, exposure)
    _how(dataset, exposure)
    _pixels(dataset, exposure, density)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _who_and_when(dataset: FileDataset, exposure: Exposure) -> None:
    dataset.SOPClassUID = _CLASSES[exposure.modality]
    dataset.SOPInstanceUID = uid(exposure, "instance")
    dataset.StudyInstanceUID = uid(exposure, "study")
    dataset.SeriesInstanceUID = uid(exposure, "series")
    dataset.PatientID = exposure.mrn
    dataset.PatientName = ""
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "F" if exposure.female else "M"
    dataset.TimezoneOffsetFromUTC = "+0000"
    moments = {
        "Study": exposure.studied,
        "Series": exposure.studied,
        "Acquisition": exposure.acquired,
        "Content": exposure.acquired,
        "InstanceCreation": exposure.created,
    }
    for name, second in moments.items():
        setattr(dataset, f"{name}Date", f"{moment(second):%Y%m%d}")
        setattr(dataset, f"{name}Time", f"{moment(second):%H%M%S}")
    dataset.AccessionNumber = f"{exposure.mrn}-{exposure.number}"
    dataset.ReferringPhysicianName = ""
    dataset.StudyID = str(exposure.number)
    dataset.SeriesNumber = dataset.InstanceNumber = 1


def _how(dataset: FileDataset, exposure: Exposure) -> None:
    dataset.Modality = exposure.modality
    dataset.Manufacturer = "Simulated"
    dataset.BodyPartExamined = "CHEST"
    dataset.ViewPosition = "AP"
    dataset.PatientOrientation = ["L", "F"]
    dataset.Laterality = ""
    if exposure.modality == "DX":
        dataset.ImageType = ["ORIGINAL", "PRIMARY"]
        dataset.PresentationIntentType = "FOR PRESENTATION"
        dataset.ImageLaterality = "U"
        dataset.PixelSpacing = [1.5, 1.5]
    dataset.ImagerPixelSpacing = [1.6, 1.6]  # at the detector: the body lies before it


def _pixels(dataset: FileDataset, exposure: Exposure, density: Array) -> None:
    top = 2**_BITS - 1
    stored = np.round(density * top).astype("<u2")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if exposure.inverted else "MONOCHROME2"
    dataset.Rows, dataset.Columns = density.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, _BITS, _BITS - 1
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.WindowCenter, dataset.WindowWidth = (top + 1) / 2, top + 1
    dataset.PresentationLUTShape = "INVERSE" if exposure.inverted else "IDENTITY"
    dataset.PixelData = (top - stored if exposure.inverted else stored).astype("<u2").tobytes()
