"""One DICOM file → one picture, the leads of one ECG, what a note withdraws, a count of what is no fact, or one rejection.

``time`` is the study's date and time; a picture is available when the instance was created, if the file says so, else a declared
delay after the latest time that it names; never before that time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_jepa.records.batch import Identity, ImageItem, Rejection, SourceBatch
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.dicom import decoding, frames, kinds
from clinical_jepa.sources.dicom.decoder_process import DecoderFailed
from clinical_jepa.sources.dicom.notes import SOURCE, object_id, withdrawn
from clinical_jepa.sources.dicom.opening import Refused, looks_like, opened
from clinical_jepa.sources.dicom.orientation import upright
from clinical_jepa.sources.dicom.pixels import picture, spacing_mm
from clinical_jepa.sources.dicom.quiet import quiet
from clinical_jepa.sources.dicom.stated import Stated, stated, table_of
from clinical_jepa.sources.dicom.times import created_time, study_time, taken_by
from clinical_jepa.sources.dicom.waveforms import recorded
from clinical_jepa.sources.rows import Rows
from clinical_jepa.vocabulary.identity import content_id

if TYPE_CHECKING:
    import numpy as np
    from pydicom.dataset import Dataset

    from clinical_jepa.sources.context import ReadContext

Site = Callable[[], Stated]


def find(root: Path) -> list[Path]:
    """The DICOM files under a folder (or the file itself), by their first bytes or by ``.dcm``, in order of their paths."""
    paths = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    return [path for path in paths if not _passed_over(path) and (path.suffix.lower() == ".dcm" or _claims(path))]


def _passed_over(path: Path) -> bool:
    """A medium's index, and what is still being written."""
    return path.name == "DICOMDIR" or (path.name.startswith(".") and path.suffix == ".part")


def _claims(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return looks_like(file.read(132))
    except OSError:
        return path.suffix == "" or path.suffix[1:].isdigit()  # nothing to see: by its name, as archives write them


def parts(path: Path) -> list[Path]:
    """The file, and the site's table that speaks of it."""
    table = table_of(path)
    return [path] if table is None else [path, table]


def read(path: Path, context: ReadContext, *, force: bool = False) -> Iterator[SourceBatch]:
    """One batch with what the file holds, or with its rejection. ``force`` takes a headless file without proof."""
    site = partial(stated, path, context.zone)  # asked only where a file does not say it
    record = path.stem
    try:
        with quiet():
            dataset = opened(path, force=force)
            record = str(dataset.get("SOPInstanceUID") or path.stem)
            batch = _batch(dataset, site, context, (path.name, record))
        yield batch
        return
    except Refused as refused:
        reason, message = refused.args
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # pydicom converts elements when asked; the RLE decoder's panics are no Exception
        reason, message = "unreadable", f"an element of the file cannot be read ({type(error).__name__})"
    refused_whole = Rejection(source=SOURCE, file=path.name, record=record, reason=reason, message=message)
    yield SourceBatch(events=Rows().table(), rejections=(refused_whole,))


def _batch(dataset: Dataset, site: Site, context: ReadContext, place: tuple[str, str]) -> SourceBatch:
    match kinds.what(dataset):
        case "none":
            if kinds.has_pixels(dataset):
                _decoded(dataset)  # nothing of it is kept, but damage is told
            return SourceBatch(events=Rows().table(), ignored={kinds.label(dataset): 1})
        case "note":
            return SourceBatch(events=Rows().table(), retractions=withdrawn(dataset, context))
        case "ecg":
            return _ecg(dataset, _identity(dataset, site, context), context, place)
        case "picture":
            if not kinds.has_pixels(dataset):
                raise Refused(
                    "no-pixels", f"modality {dataset.get('Modality') or 'unknown'}: the file holds no pixel data"
                )
            pixels = _decoded(dataset)
            identity = _identity(dataset, site, context)
            item = _item(dataset, pixels, identity, site, context)
            return SourceBatch(events=Rows().table(), identities=(identity,), images=(item,), ignored=_others(dataset))


def _ecg(dataset: Dataset, identity: Identity, context: ReadContext, place: tuple[str, str]) -> SourceBatch:
    found = recorded(dataset, identity, context)
    file, record = place
    refused = (
        Rejection(source=SOURCE, file=file, record=f"{record}, {where}", reason=reason, message=message)
        for where, reason, message in found.problems
    )
    return SourceBatch(
        events=Rows().table(),
        identities=(identity,),
        signals=tuple(found.pieces),
        rejections=tuple(refused),
        ignored=dict(+found.ignored),
    )


def _decoded(dataset: Dataset) -> np.ndarray:
    try:
        return picture(dataset)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # each decoder has errors of its own
        syntax = getattr(dataset.file_meta.get("TransferSyntaxUID"), "name", "no transfer syntax")
        cause = str(error) if isinstance(error, DecoderFailed) else type(error).__name__
        raise Refused("unreadable", f"pixels cannot be decoded ({syntax}; {cause})") from error


def _others(dataset: Dataset) -> Mapping[str, int]:
    others = decoding.frames(dataset) - 1
    return {"dicom:further frame": others} if others else {}


def _identity(dataset: Dataset, site: Site, context: ReadContext) -> Identity:
    identifier = str(dataset.get("PatientID") or "").strip() or site().patient
    if not identifier:
        raise Refused("no-subject", "PatientID is empty or absent")
    return Identity(subject_id=context.subject(identifier), namespace=context.namespace, identifier=identifier)


def _item(dataset: Dataset, pixels: np.ndarray, identity: Identity, site: Site, context: ReadContext) -> ImageItem:
    said = frames.described(dataset, frames.kept(dataset))
    time = study_time(dataset, context.zone)
    moments = [one for one in (taken_by(dataset, context.zone), taken_by(said, context.zone)) if one is not None]
    if time is None:
        time = site().time
        moments = [] if time is None else [time]
    if time is None:
        raise Refused(
            "no-time",
            "no complete date and time of study, series, acquisition or content; where the site knows it, "
            "dicom-site.csv beside the file says it",
        )
    created = created_time(dataset, context.zone)
    available, basis = availability(max(moments), reported=created, delay=context.delays["image"])
    turned, spacing = upright(pixels, spacing_mm(said), said)
    digest = hashlib.blake2b(turned.data, digest_size=16).hexdigest()
    fact_id = object_id(str(dataset.get("SOPInstanceUID") or digest))
    return ImageItem(
        subject_id=identity.subject_id,
        time=time,
        available_time=available,
        available_basis=basis,
        modality=str(dataset.get("Modality") or "OT"),
        view=str(dataset.get("ViewPosition") or "") or None,
        spacing_mm=spacing,
        pixels=turned,
        source=SOURCE,
        event_id=content_id(fact_id, identity.subject_id, time, available, digest),
        fact_id=fact_id,
        record_id=fact_id,
    )
