"""Reads the tables of MIMIC-IV, one file a unit. The demo has no ``chartevents``; the full data set has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.sources.columnar.settle import Settled
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables import mimic
from clinical_jepa.sources.tables.data_set import beside, stem
from clinical_jepa.sources.tables.mimic import Release
from clinical_jepa.sources.tables.mimic4.layout import FOLDERS, LAYOUT

NAMESPACE = "mimic4"
RELEASE = Release(
    namespace=NAMESPACE,
    layout=LAYOUT,
    patients="patients",
    admissions="admissions",
    titles={
        "diagnoses_icd": ("diagnoses", "d_icd_diagnoses"),
        "procedures_icd": ("procedures", "d_icd_procedures"),
    },
    titled=("icd_code", "long_title"),
)


def find(root: Path) -> list[Path]:
    """The tables at or below ``root``, patients and admissions first."""
    if root.is_file():
        return [root] if _is_table(root) else []
    tops = sorted({path.parent.parent for path in root.rglob("patients.csv*") if _is_table(path)})
    named = ((top / folder, table) for top in tops for folder in FOLDERS for table in FOLDERS[folder])
    return [path for folder, table in named if (path := beside(folder, table))]


def parts(path: Path) -> list[Path]:
    """The table, and those that say whose its rows are, when stays ended and what codes are called."""
    return mimic.parts(path, _hosp(path), RELEASE)


def read(path: Path, context: ReadContext) -> Iterator[SourceBatch]:
    """The rows of one table, some hundred thousand lines at a time."""
    return (one.batch for one in account(path, context))


def account(path: Path, context: ReadContext) -> Iterator[Settled]:
    """The same batches, with what became of the lines they come from."""
    return mimic.account(path, _hosp(path), RELEASE, context)


def _hosp(path: Path) -> Path:
    return path.parent.parent / "hosp"


def _is_table(path: Path) -> bool:
    folder = path.parent.name
    return stem(path) in FOLDERS.get(folder, ()) and beside(_hosp(path), "patients") is not None
