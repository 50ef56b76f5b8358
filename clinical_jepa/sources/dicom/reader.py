"""DICOM files of a folder → one picture each, or the reason why not.

``time`` is the study's. The picture is available when its instance was created, if the file says so, else a declared
delay after the latest time that it names; never before that time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_jepa.records.batch import Identity, ImageItem, Rejection, SourceBatch
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.dicom.pixels import picture, spacing_mm
from clinical_jepa.sources.dicom.times import created_time, study_time, taken_by
from clinical_jepa.sources.rows import Rows
from clinical_jepa.vocabulary.identity import content_id

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from clinical_jepa.sources.context import ReadContext

SOURCE = "dicom"
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


class _Refused(Exception):
    """``(reason, message)`` of a file of which nothing is kept."""


def find(root: Path) -> list[Path]:
    """The DICOM files under a folder (or the file itself), by preamble or by ``.dcm``, in order of their paths."""
    paths = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    return [path for path in paths if path.name != "DICOMDIR" and (path.suffix.lower() == ".dcm" or _preamble(path))]


def _preamble(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def parts(path: Path) -> list[Path]:
    """The file alone."""
    return [path]


def read(path: Path, context: ReadContext, *, force: bool = False) -> Iterator[SourceBatch]:
    """One batch with the file's picture, or with its rejection. ``force`` reads a file without preamble and meta."""
    identities: tuple[Identity, ...] = ()
    images: tuple[ImageItem, ...] = ()
    refusal: tuple[str, str] | None = None
    record = path.stem
    try:
        dataset = _dataset(path, force)
        record = str(dataset.get("SOPInstanceUID") or path.stem)
        identity = _identity(dataset, context)
        images = (_item(dataset, identity, context),)
        identities = (identity,)
    except _Refused as refused:
        refusal = refused.args[0], refused.args[1]
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # pydicom converts elements when asked; the RLE decoder's panics are no Exception
        refusal = "unreadable", f"an element of the file cannot be read ({type(error).__name__})"
    rejections = () if refusal is None else (_rejection(path, record, *refusal),)
    yield SourceBatch(events=Rows().table(), identities=identities, images=images, rejections=rejections)


def _rejection(path: Path, record: str, reason: str, message: str) -> Rejection:
    return Rejection(source=SOURCE, file=path.name, record=record, reason=reason, message=message)


def _dataset(path: Path, force: bool) -> Dataset:
    import pydicom
    from pydicom.errors import InvalidDicomError
    from pydicom.uid import ImplicitVRLittleEndian

    try:
        dataset = pydicom.dcmread(path, force=force)
    except InvalidDicomError:
        raise _Refused("unreadable", "no DICOM preamble; read it with force if it is a headless DICOM file") from None
    except Exception as error:  # pydicom raises many kinds on a damaged file
        raise _Refused("unreadable", f"not readable as DICOM ({type(error).__name__})") from error
    if len(dataset) == 0:
        raise _Refused("unreadable", "the file holds no data element: empty, or cut off in its header")
    if force and "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian  # the standard's default
    return dataset


def _identity(dataset: Dataset, context: ReadContext) -> Identity:
    identifier = str(dataset.get("PatientID") or "").strip()
    if not identifier:
        raise _Refused("no-subject", "PatientID is empty or absent")
    subject = context.subject(identifier)
    if context.subjects is not None and subject not in {context.subject(name) for name in context.subjects}:
        raise _Refused("unknown-subject", "the source does not declare this subject")
    return Identity(subject_id=subject, namespace=context.namespace, identifier=identifier)


def _item(dataset: Dataset, identity: Identity, context: ReadContext) -> ImageItem:
    if not any(dataset.get(name) for name in _PIXELS):
        raise _Refused("no-pixels", f"modality {dataset.get('Modality') or 'unknown'}: the file holds no pixel data")
    time, taken = study_time(dataset, context.zone), taken_by(dataset, context.zone)
    if time is None or taken is None:
        raise _Refused("no-time", "no complete date and time of study, series, acquisition or content")
    created = created_time(dataset, context.zone)
    available, basis = availability(taken, reported=created, delay=context.delays["image"])
    try:
        pixels = picture(dataset)
    except Exception as error:  # each decoder has errors of its own
        syntax = getattr(dataset.file_meta.get("TransferSyntaxUID"), "name", "no transfer syntax")
        raise _Refused("unreadable", f"pixels cannot be decoded ({syntax}; {type(error).__name__})") from error
    digest = hashlib.blake2b(pixels.tobytes(), digest_size=16).hexdigest()
    fact_id = content_id(SOURCE, str(dataset.get("SOPInstanceUID") or digest))
    return ImageItem(
        subject_id=identity.subject_id,
        time=time,
        available_time=available,
        available_basis=basis,
        modality=str(dataset.get("Modality") or "OT"),
        view=str(dataset.get("ViewPosition") or "") or None,
        spacing_mm=spacing_mm(dataset),
        pixels=pixels,
        source=SOURCE,
        event_id=content_id(fact_id, identity.subject_id, time, available, digest),
        fact_id=fact_id,
    )
