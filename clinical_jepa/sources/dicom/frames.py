"""Which frame of a multi-frame object is kept, and what is said of that frame.

One object gives one picture: the frame that the file names as representative, else the middle one. A cine loop's frames
show one thing within seconds, a volume's are slices of one moment; the model takes one picture at a time, and the middle one
shows the organ where the first may show its edge, or no contrast yet. The other frames stay in the file and are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clinical_jepa.sources.dicom.decoding import frames

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# functional group → what it may say of a frame, where a single-frame object says it at its top level
_GROUPS = {
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    "PixelMeasuresSequence": ("PixelSpacing",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "FrameContentSequence": ("FrameAcquisitionDateTime",),
}
_TOP = (
    *("ModalityLUTSequence", "PixelPaddingValue", "PixelPaddingRangeLimit", "PatientOrientation", "ImagerPixelSpacing"),
    *("NominalScannedPixelSpacing", "PixelRepresentation", "BitsStored", "PhotometricInterpretation"),
    "TimezoneOffsetFromUTC",
)


def kept(dataset: Dataset) -> int | None:
    """Index of the frame that becomes the picture; None of a file with a single one."""
    many = frames(dataset)
    if many == 1:
        return None
    named = dataset.get("RepresentativeFrameNumber")
    if isinstance(named, int) and 1 <= named <= many:
        return named - 1
    return many // 2


def described(dataset: Dataset, index: int | None) -> Dataset:
    """The dataset itself, or for an enhanced object what its functional groups say of one frame, in the same words."""
    from pydicom.dataset import Dataset as Empty

    shared = dataset.get("SharedFunctionalGroupsSequence")
    each = dataset.get("PerFrameFunctionalGroupsSequence")
    if not shared and not each:
        return dataset
    groups = [each[index or 0]] if each and (index or 0) < len(each) else []
    groups += [shared[0]] if shared else []
    out = Empty()
    for name in (*_TOP, *(name for names in _GROUPS.values() for name in names)):
        if name in dataset:
            out.add(dataset[name])
    for group in reversed(groups):  # what is said of the frame stands over what is said of all
        for sequence, names in _GROUPS.items():
            for item in group.get(sequence) or ():
                for name in names:
                    if name in item:
                        out.add(item[name])
    return out
