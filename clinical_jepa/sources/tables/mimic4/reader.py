"""Reads the tables of MIMIC-IV, one file a unit. The demo has no ``chartevents``; the full data set has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.sources.columnar.candidates import Run
from clinical_jepa.sources.columnar.codemap import items
from clinical_jepa.sources.columnar.settle import Settled, refusal
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables.data_set import beside, column, read_table, stem
from clinical_jepa.sources.tables.mimic import admissions, declared, site, titles
from clinical_jepa.sources.tables.mimic4.layout import FOLDERS, LAYOUT
from clinical_jepa.sources.tables.text import Unreadable

NAMESPACE = "mimic4"
_LOOKED_THROUGH = ("patients", "admissions")  # for every other table
_TITLES = {"diagnoses_icd": ("diagnoses", "d_icd_diagnoses"), "procedures_icd": ("procedures", "d_icd_procedures")}


def find(root: Path) -> list[Path]:
    """The tables at or below ``root``, patients and admissions first."""
    if root.is_file():
        return [root] if _is_table(root) else []
    tops = sorted({path.parent.parent for path in root.rglob("patients.csv*") if _is_table(path)})
    named = ((top / folder, table) for top in tops for folder in FOLDERS for table in FOLDERS[folder])
    return [path for folder, table in named if (path := beside(folder, table))]


def parts(path: Path) -> list[Path]:
    """The table, and those that say whose its rows are, when stays ended and what codes are called."""
    names = [*_LOOKED_THROUGH, *(name for _, name in [_TITLES.get(stem(path), ("", ""))] if name)]
    return sorted({path, *(found for name in names if (found := beside(_hosp(path), name)))})


def read(path: Path, context: ReadContext) -> Iterator[SourceBatch]:
    """The rows of one table, some hundred thousand lines at a time."""
    return (one.batch for one in account(path, context))


def account(path: Path, context: ReadContext) -> Iterator[Settled]:
    """The same batches, with what became of the lines they come from."""
    table = stem(path)
    file = str(path.relative_to(context.root)) if context.root in path.parents else path.name
    source = f"{NAMESPACE}:{table}"
    try:
        run = _run(_hosp(path), table, source, file, site(context, NAMESPACE))
    except Unreadable as problem:
        return iter([refusal(source, file, f"{problem}: nothing of it was kept")])
    return read_table(path, LAYOUT[table], run)


def _hosp(path: Path) -> Path:
    return path.parent.parent / "hosp"


def _is_table(path: Path) -> bool:
    folder = path.parent.name
    return stem(path) in FOLDERS.get(folder, ()) and beside(_hosp(path), "patients") is not None


def _run(folder: Path, table: str, source: str, file: str, context: ReadContext) -> Run:
    people = column(beside(folder, "patients"), "subject_id")["subject_id"].drop_nulls().to_list()
    known: dict[str, object] = dict(admissions(beside(folder, "admissions"), context.zone))
    if table in _TITLES:
        name, other = _TITLES[table]
        known[name] = titles(beside(folder, other), "icd_code", "long_title")
    return Run(
        table=table,
        source=source,
        file=file,
        context=context,
        items=items(NAMESPACE, table),
        people=declared(people, context),
        beside=known,  # type: ignore[arg-type]
    )
