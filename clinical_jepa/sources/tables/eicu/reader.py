"""Reads the tables of eICU-CRD, one file a unit. There are no dates: each stay is a subject on a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.sources.columnar.candidates import Run
from clinical_jepa.sources.columnar.settle import Settled
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.relative import source as relative_source
from clinical_jepa.sources.tables.data_set import begun, column, read_table, stem
from clinical_jepa.sources.tables.eicu.layout import LAYOUT, STAY
from clinical_jepa.sources.tables.relative_stays import declared_stays
from clinical_jepa.sources.tables.text import head
from clinical_jepa.sources.unread import closed

NAMESPACE = "eicu"
_NAMES = {name.lower(): name for name in LAYOUT}


def find(root: Path) -> list[Path]:
    """The tables at or below ``root`` in the order of the layout, ``patient`` first; parts of a table by name."""
    if root.is_file():
        return [root] if _table(root) and _patients(root.parent) else []
    folders = sorted({path.parent for path in root.rglob("*.csv*") if _table(path) == "patient"})
    order = list(LAYOUT)
    return [
        path
        for folder in folders
        if _patients(folder)
        for path in sorted(
            (path for path in folder.iterdir() if _table(path)), key=lambda path: (order.index(_table(path)), path.name)
        )
    ]


def parts(path: Path) -> list[Path]:
    """The table, and the one that declares the stays."""
    patients = _patients(path.parent)
    return sorted({path, *([patients] if patients else [])})


def read(path: Path, context: ReadContext) -> Iterator[SourceBatch]:
    """The rows of one table, some hundred thousand lines at a time."""
    return (one.batch for one in account(path, context))


def account(path: Path, context: ReadContext) -> Iterator[Settled]:
    """The same batches, with what became of the lines they come from."""
    table = _table(path)
    run = begun(path, table, NAMESPACE, context, source=relative_source(f"{NAMESPACE}:{table}"))
    return read_table(path, LAYOUT[table], run, lambda run: _told(run, path.parent))


def _told(run: Run, folder: Path) -> Run:
    stays = column(_patients(folder), STAY)[STAY].drop_nulls().to_list()
    return replace(run, people=declared_stays(stays, run.context))


def _table(path: Path) -> str:
    """The table of a file, "" for another: ``lab.subset.csv.gz`` is a part of ``lab``; names come in several spellings."""
    if not path.name.endswith((".csv", ".csv.gz")):
        return ""
    return _NAMES.get(stem(path).partition(".")[0].lower(), "")


def _patients(folder: Path) -> Path | None:
    """The file that declares the stays; not any ``patient.csv``, but one with eICU's columns."""
    files = (path for path in sorted(folder.iterdir()) if _table(path) == "patient")
    return next((path for path in files if {STAY, "uniquepid"} <= set(head(path)) or closed(path)), None)
