"""Rejection notes: how an imaging department says that objects it sent before must not be used.

The profile is IHE's Imaging Object Change Management.
A note is a Key Object Selection document whose title is a reason of rejection; the objects it selects are withdrawn from when
the note was made. A selection under any other title says nothing of the kind, nor does one whose objects were kept long enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from clinical_jepa.records.batch import Retraction
from clinical_jepa.sources.dicom.opening import Refused
from clinical_jepa.sources.dicom.times import created_time, taken_by
from clinical_jepa.vocabulary.identity import content_id

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from clinical_jepa.sources.context import ReadContext

SOURCE = "dicom"


def object_id(instance: str) -> str:
    """The record, and the fact, that the object with this SOP Instance UID is."""
    return content_id(SOURCE, instance)


def withdrawn(dataset: Dataset, context: ReadContext) -> tuple[Retraction, ...]:
    """A withdrawal of each object that a rejection note selects. ``Refused`` where it selects none, or has no time."""
    moments = (created_time(dataset, context.zone), taken_by(dataset, context.zone))
    known = max((one for one in moments if one is not None), default=None)
    if known is None:
        raise Refused("no-time", "a rejection note without a time: nobody can say since when its objects are rejected")
    selected = sorted(set(_selected(dataset)))
    if not selected:
        raise Refused("invalid", "a rejection note that selects no object")
    return tuple(
        Retraction(
            record_id=object_id(instance),
            time=known,
            available_time=known,
            available_basis="issued",
            source=SOURCE,
        )
        for instance in selected
    )


def _selected(item: Dataset) -> Iterator[str]:
    """The objects that a content tree refers to."""
    for content in item.get("ContentSequence") or ():
        for reference in content.get("ReferencedSOPSequence") or ():
            if reference.get("ReferencedSOPInstanceUID"):
                yield str(reference.ReferencedSOPInstanceUID)
        yield from _selected(content)
