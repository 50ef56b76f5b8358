"""What a DICOM object is to this system: a picture, a recorded signal, a rejection note, or no fact (a plan, a report, a mask).

The SOP class says it. What is made from pictures afterwards (segmentations, doses) is no picture of the patient, nor is a
tile of a microscope's slide: taken as "the latest image" either would mislead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.uid import UID

What = Literal["picture", "ecg", "note", "none"]

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_ECG = ("TwelveLeadECGWaveformStorage", "GeneralECGWaveformStorage", "AmbulatoryECGWaveformStorage")
_ECG_MORE = ("General32bitECGWaveformStorage",)
_DERIVED = (
    *("SegmentationStorage", "SurfaceSegmentationStorage", "LabelMapSegmentationStorage"),
    *("HeightMapSegmentationStorage", "RTDoseStorage", "RealWorldValueMappingStorage"),
    *("VLWholeSlideMicroscopyImageStorage", "VLMicroscopicImageStorage"),
    *("VLSlideCoordinatesMicroscopicImageStorage", "ConfocalMicroscopyImageStorage"),
)
_NOTE = "KeyObjectSelectionDocumentStorage"
# titles of rejection: of quality, for the patient's safety, of another patient or order
_REJECTED = {("DCM", "113001"), ("DCM", "113037"), ("DCM", "113038")}
_DERIVED_MODALITIES = ("SEG", "RTDOSE", "SM")


def what(dataset: Dataset) -> What:
    """``none`` for an object whose class holds no picture and no ECG; an object without a class is judged by its pixels."""
    keyword = _class(dataset).keyword
    if keyword == _NOTE and _rejects(dataset):
        return "note"
    if keyword in _ECG or keyword in _ECG_MORE:
        return "ecg"
    if keyword in _DERIVED or str(dataset.get("Modality") or "") in _DERIVED_MODALITIES:
        return "none"
    known = keyword != ""
    if known and "ImageStorage" not in keyword and not has_pixels(dataset):
        return "none"
    return "picture"


def _rejects(dataset: Dataset) -> bool:
    title = (dataset.get("ConceptNameCodeSequence") or [{}])[0]
    return (str(title.get("CodingSchemeDesignator") or ""), str(title.get("CodeValue") or "")) in _REJECTED


def has_pixels(dataset: Dataset) -> bool:
    """Whether there are any bytes of pixels."""
    return any(dataset.get(name) for name in PIXELS)


def label(dataset: Dataset) -> str:
    """The name under which an object that is no fact is counted: ``dicom:RT Plan Storage``."""
    return f"dicom:{_class(dataset).name or 'no SOP class'}"


def _class(dataset: Dataset) -> UID:
    from pydicom.uid import UID as Uid

    stated = dataset.get("SOPClassUID") or getattr(dataset, "file_meta", {}).get("MediaStorageSOPClassUID")
    return Uid(str(stated or ""))
