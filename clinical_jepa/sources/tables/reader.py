"""Reads the tables of MIMIC-III (v1.4, demo and full layout), one file a unit. Namespace ``mimic3``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from clinical_jepa.records.batch import Rejection, SourceBatch
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.rows import Rows
from clinical_jepa.sources.tables import infusions, measures, stays
from clinical_jepa.sources.tables.files import (
    LOOKED_THROUGH,
    TABLES,
    Unreadable,
    beside,
    load,
    look_through,
    table_name,
)
from clinical_jepa.sources.tables.under_way import UnderWay

NAMESPACE = "mimic3"


def find(root: Path) -> list[Path]:
    """The tables at or below ``root`` that are read, patients and admissions first."""
    if root.is_file():
        return [root] if table_name(root) in TABLES and beside(root.parent, "PATIENTS") else []
    folders = sorted({path.parent for path in root.rglob("PATIENTS.csv*") if beside(path.parent, "ADMISSIONS")})
    return [path for folder in folders for table in TABLES if (path := beside(folder, table))]


def parts(path: Path) -> list[Path]:
    """The table, and those beside it that say whose its rows are and when stays ended."""
    return sorted({path, *(found for table in LOOKED_THROUGH if (found := beside(path.parent, table)))})


def read(path: Path, context: ReadContext) -> Iterator[SourceBatch]:
    """All rows of one table as one batch."""
    context = replace(context, namespace=NAMESPACE)
    table = table_name(path)
    file = str(path.relative_to(context.root)) if context.root in path.parents else path.name
    try:
        folder = look_through(path.parent, context.zone)
        under_way = UnderWay(table=table, file=file, context=context, folder=folder)
        _table(path, under_way)
    except Unreadable as problem:
        yield _unreadable(table, file, problem)
        return
    yield SourceBatch(
        events=under_way.rows.table(),
        identities=tuple(under_way.identities.values()),
        rejections=tuple(under_way.rows.rejections),
        ignored=dict(under_way.ignored),
    )


def _table(path: Path, under_way: UnderWay) -> None:
    match under_way.table:
        case "CHARTEVENTS" | "LABEVENTS" | "OUTPUTEVENTS":
            measures.read(load(path, measures.NEEDED), under_way)
        case "INPUTEVENTS_MV":
            infusions.read_mv(load(path, infusions.NEEDED_MV), under_way)
        case "INPUTEVENTS_CV":
            infusions.read_cv(load(path, infusions.NEEDED_CV), under_way)
        case "PATIENTS":
            stays.patients(load(path, stays.NEEDED["PATIENTS"]), under_way)
        case "ADMISSIONS":
            stays.admissions(load(path, stays.NEEDED["ADMISSIONS"]), under_way)
        case "ICUSTAYS":
            stays.icu_stays(load(path, stays.NEEDED["ICUSTAYS"]), under_way)
        case "TRANSFERS":
            stays.transfers(load(path, stays.NEEDED["TRANSFERS"]), under_way)
        case "DIAGNOSES_ICD":
            stays.diagnoses(load(path, stays.NEEDED["DIAGNOSES_ICD"]), under_way, path.parent)


def _unreadable(table: str, file: str, problem: Unreadable) -> SourceBatch:
    rejection = Rejection(
        source=f"mimic3:{table}",
        file=file,
        record="file",
        reason="unreadable",
        message=f"{problem}: nothing of it was kept",
    )
    return SourceBatch(events=Rows().table(), rejections=(rejection,))
