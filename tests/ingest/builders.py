"""A folder with a little of every event source, and an empty store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from clinical_jepa.ingest import IngestReport, ingest
from clinical_jepa.records.batch import Mode
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.fhir import reader as fhir
from clinical_jepa.sources.tables.mimic3 import reader as tables
from clinical_jepa.store.events import Store

WARD = Path(fhir.__file__).parent / "examples" / "ward"
MIMIC = Path(tables.__file__).parent / "examples"
NOON = 1_800_000_000_000_000  # 2027-01-15, after everything in the ward example
LONG_AFTER = 2**52


def prepare(pixels: np.ndarray, spacing_mm: tuple[float, float] | None) -> np.ndarray:
    return np.zeros((64, 64), np.float32)


def examples(folder: Path) -> Path:
    """A copy of the FHIR ward and of the example tables."""
    root = folder / "sources"
    shutil.copytree(WARD, root / "fhir")
    shutil.copytree(MIMIC, root / "mimic3")
    return root


def run(
    root: Path, store: Store, *, mode: Mode = "history", now: int = NOON, progress: Any = None, **options: Any
) -> IngestReport:
    context = ReadContext(root=root, **options)
    return ingest([root], store, mode=mode, now=lambda: now, context=context, prepare=prepare, progress=progress)


def rows(store: Store) -> list[dict[str, Any]]:
    """Everything visible in the end, in order of arrival, without the columns a commit sets."""
    table = store.arrivals(-LONG_AFTER, LONG_AFTER * 2).events
    return table.to_pylist()
