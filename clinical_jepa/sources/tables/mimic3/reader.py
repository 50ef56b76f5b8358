"""Reads the tables of MIMIC-III, one file a unit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.sources.columnar.candidates import Run
from clinical_jepa.sources.columnar.codemap import items
from clinical_jepa.sources.columnar.settle import Settled, refusal
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables.data_set import beside, column, files, read_table, stem
from clinical_jepa.sources.tables.mimic import admissions, declared, site, titles
from clinical_jepa.sources.tables.mimic3.layout import LAYOUT
from clinical_jepa.sources.tables.text import Unreadable

NAMESPACE = "mimic3"
_LOOKED_THROUGH = ("PATIENTS", "ADMISSIONS")  # for every other table
_TITLES = {"DIAGNOSES_ICD": ("diagnoses", "D_ICD_DIAGNOSES"), "PROCEDURES_ICD": ("procedures", "D_ICD_PROCEDURES")}


def find(root: Path) -> list[Path]:
    """The tables at or below ``root``, patients and admissions first."""
    if root.is_file():
        return [root] if stem(root) in LAYOUT and beside(root.parent, "PATIENTS") else []
    folders = sorted({path.parent for path in root.rglob("PATIENTS.csv*") if beside(path.parent, "ADMISSIONS")})
    return [path for folder in folders for path in files(folder, LAYOUT)]


def parts(path: Path) -> list[Path]:
    """The table, and those beside it that say whose its rows are, when stays ended and what codes are called."""
    names = [*_LOOKED_THROUGH, *(name for _, name in [_TITLES.get(stem(path), ("", ""))] if name)]
    return sorted({path, *(found for name in names if (found := beside(path.parent, name)))})


def read(path: Path, context: ReadContext) -> Iterator[SourceBatch]:
    """The rows of one table, some hundred thousand lines at a time."""
    return (one.batch for one in account(path, context))


def account(path: Path, context: ReadContext) -> Iterator[Settled]:
    """The same batches, with what became of the lines they come from."""
    table = stem(path)
    file = str(path.relative_to(context.root)) if context.root in path.parents else path.name
    source = f"{NAMESPACE}:{table}"
    try:
        run = _run(path.parent, table, source, file, site(context, NAMESPACE))
    except Unreadable as problem:
        return iter([refusal(source, file, f"{problem}: nothing of it was kept")])
    return read_table(path, LAYOUT[table], run)


def _run(folder: Path, table: str, source: str, file: str, context: ReadContext) -> Run:
    people = column(beside(folder, "PATIENTS"), "subject_id")["subject_id"].drop_nulls().to_list()
    known: dict[str, object] = dict(admissions(beside(folder, "ADMISSIONS"), context.zone))
    if table in _TITLES:
        name, other = _TITLES[table]
        known[name] = titles(beside(folder, other), "icd9_code", "short_title")
    return Run(
        table=table,
        source=source,
        file=file,
        context=context,
        items=items(NAMESPACE, table),
        people=declared(people, context),
        beside=known,  # type: ignore[arg-type]
    )
