"""Which formats there are. A new source is a folder with a ``reader``, a kind in ``Kind``, and one arm of ``_reader``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.sources.context import ReadContext

Kind = Literal[
    "fhir", "mimic3", "mimic4", "eicu", "cinc2012", "cinc2019", "meds", "wfdb", "dicom", "hl7v2"
]  # in the order of reading
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A unit of reading: one FHIR file, one table, one WFDB record (its header), one DICOM file, one HL7 file."""

    kind: Kind
    path: Path


class Reader(Protocol):
    """What the module ``reader`` of a source's folder offers."""

    def find(self, root: Path) -> list[Path]:
        """The units at or below ``root``, in order."""

    def parts(self, path: Path, /) -> list[Path]:
        """Every file whose bytes decide what is read from a unit: itself, and those it refers to."""

    def read(self, path: Path, context: ReadContext) -> Iterator[SourceBatch]:
        """The batches of one unit."""


def _reader(kind: Kind) -> Reader:
    match kind:
        case "fhir":
            from clinical_jepa.sources.fhir import reader as fhir

            return fhir
        case "mimic3" | "mimic4" | "eicu" | "cinc2012" | "cinc2019":
            from clinical_jepa.sources.tables import data_sets

            return data_sets.reader(kind)
        case "meds":
            from clinical_jepa.sources.meds import reader as meds

            return meds
        case "wfdb":
            from clinical_jepa.sources.wfdb import reader as wfdb

            return wfdb
        case "dicom":
            from clinical_jepa.sources.dicom import reader as dicom

            return dicom
        case "hl7v2":
            from clinical_jepa.sources.hl7v2 import reader as hl7v2

            return hl7v2


def find(root: Path) -> tuple[Found, ...]:
    """Every unit at or below ``root``, in the order of ``KINDS``, then by path."""
    return tuple(Found(kind=kind, path=path) for kind in KINDS for path in _reader(kind).find(root))


def divided(found: Found) -> tuple[Found, ...]:
    """The parts of a unit that may grow on their own, so that what was read of it is not read again; else the unit."""
    if found.kind != "wfdb":
        return (found,)
    from clinical_jepa.sources.wfdb import reader

    return tuple(Found(kind=found.kind, path=path) for path in reader.divided(found.path))


def clock_offset(found: Found, context: ReadContext) -> int:
    """How far the clock that a unit was written by stands off (µs), as the site says; only monitors have one."""
    if found.kind != "wfdb" or not context.clock_offsets:
        return 0
    from clinical_jepa.sources.wfdb import reader

    return reader.offset(found.path, context)


def read(found: Found, context: ReadContext) -> Iterator[SourceBatch]:
    """The batches of one unit."""
    return _reader(found.kind).read(found.path, context)


def parts(found: Found) -> list[Path]:
    """Every file whose bytes decide what is read from a unit: itself, and those it refers to."""
    return _reader(found.kind).parts(found.path)
