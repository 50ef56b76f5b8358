"""Reads the tables of MIMIC-III, one file a unit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.sources.columnar.settle import Settled
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables import mimic
from clinical_jepa.sources.tables.data_set import beside, files, stem
from clinical_jepa.sources.tables.mimic import Release
from clinical_jepa.sources.tables.mimic3.layout import LAYOUT

NAMESPACE = "mimic3"
RELEASE = Release(
    namespace=NAMESPACE,
    layout=LAYOUT,
    patients="PATIENTS",
    admissions="ADMISSIONS",
    titles={
        "DIAGNOSES_ICD": ("diagnoses", "D_ICD_DIAGNOSES"),
        "PROCEDURES_ICD": ("procedures", "D_ICD_PROCEDURES"),
    },
    titled=("icd9_code", "short_title"),
)


def find(root: Path) -> list[Path]:
    """The tables at or below ``root``, patients and admissions first."""
    if root.is_file():
        return [root] if stem(root) in LAYOUT and beside(root.parent, "PATIENTS") else []
    folders = sorted({path.parent for path in root.rglob("PATIENTS.csv*") if beside(path.parent, "ADMISSIONS")})
    return [path for folder in folders for path in files(folder, LAYOUT)]


def parts(path: Path) -> list[Path]:
    """The table, and those beside it that say whose its rows are, when stays ended and what codes are called."""
    return mimic.parts(path, path.parent, RELEASE)


def read(path: Path, context: ReadContext) -> Iterator[SourceBatch]:
    """The rows of one table, some hundred thousand lines at a time."""
    return (one.batch for one in account(path, context))


def account(path: Path, context: ReadContext) -> Iterator[Settled]:
    """The same batches, with what became of the lines they come from."""
    return mimic.account(path, path.parent, RELEASE, context)
