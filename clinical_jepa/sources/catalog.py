"""Which formats there are: one visible match. A new source is one folder and one arm here."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.sources.context import ReadContext

Kind = Literal["fhir", "mimic3", "wfdb", "dicom"]
KINDS: tuple[Kind, ...] = ("fhir", "mimic3", "wfdb", "dicom")  # also the order of reading


@dataclass(frozen=True, kw_only=True)
class Found:
    """A unit of reading: one FHIR file, one table, one WFDB record (its header), one DICOM file."""

    kind: Kind
    path: Path


def find(root: Path) -> tuple[Found, ...]:
    """Every unit at or below ``root``, in the order of ``KINDS``, then by path."""
    return tuple(Found(kind=kind, path=path) for kind in KINDS for path in _find(kind, root))


def read(found: Found, context: ReadContext) -> Iterator[SourceBatch]:
    """The batches of one unit."""
    match found.kind:
        case "fhir":
            from clinical_jepa.sources.fhir import reader as fhir

            return fhir.read(found.path, context)
        case "mimic3":
            from clinical_jepa.sources.tables import reader as tables

            return tables.read(found.path, context)
        case "wfdb":
            from clinical_jepa.sources.wfdb import reader as wfdb

            return wfdb.read(found.path, context)
        case "dicom":
            from clinical_jepa.sources.dicom import reader as dicom

            return dicom.read(found.path, context)


def parts(found: Found) -> list[Path]:
    """Every file whose bytes decide what is read from a unit: itself, and those it refers to."""
    match found.kind:
        case "fhir":
            from clinical_jepa.sources.fhir.folder import needed

            return sorted({found.path, *needed(found.path)})
        case "mimic3":
            from clinical_jepa.sources.tables.files import beside

            names = ("PATIENTS", "ADMISSIONS")
            return sorted({found.path, *(path for name in names if (path := beside(found.path.parent, name)))})
        case "wfdb":
            return sorted(_record_files(found.path))
        case "dicom":
            return [found.path]


def _record_files(header: Path) -> set[Path]:
    """A WFDB header with its annotations, and the segments and signal files that its lines name."""
    files = set(header.parent.glob(f"{glob.escape(header.stem)}.*"))
    for line in header.read_text(encoding="latin-1").splitlines():
        name = line.split()[0] if line.strip() else "#"
        segment = header.with_name(f"{name}.hea") if not name.startswith(("#", "~")) and "/" not in name else header
        if segment != header and segment.is_file():
            files |= _record_files(segment)
        elif (signal := header.with_name(Path(name).name)).is_file():
            files.add(signal)
    return files


def _find(kind: Kind, root: Path) -> list[Path]:
    match kind:
        case "fhir":
            from clinical_jepa.sources.fhir import reader as fhir

            return fhir.find(root)
        case "mimic3":
            from clinical_jepa.sources.tables import reader as tables

            return tables.find(root)
        case "wfdb":
            from clinical_jepa.sources.wfdb import reader as wfdb

            return wfdb.find(root)
        case "dicom":
            from clinical_jepa.sources.dicom import reader as dicom

            return dicom.find(root)
