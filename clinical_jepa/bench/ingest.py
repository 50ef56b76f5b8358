"""What ingest costs, format by format, each figure a ratio against a peer or a limit measured in the same run."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from clinical_jepa.bench.figure import Figure

PARTS = ("fhir", "wfdb", "dicom", "align", "memory")  # each a module beside this one with ``run(folder)``


def run(parts: Sequence[str] = PARTS, *, tell: Callable[[str], None] = lambda line: None) -> list[Figure]:
    """The figures of some parts in their order. Each writes its own files to a folder that is removed afterwards."""
    found: list[Figure] = []
    for part in parts:
        tell(f"measuring {part} …")
        with tempfile.TemporaryDirectory(prefix="clinical-jepa-bench-") as folder:
            found += importlib.import_module(f"clinical_jepa.bench.{part}").run(Path(folder))
    return found
