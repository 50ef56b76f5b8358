"""Peak memory while the input grows ten times, each run in a process of its own. The larger one takes minutes:

python -m clinical_jepa.bench.memory FOLDER [ROWS]
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from clinical_jepa.bench.figure import Figure

ROWS = 1_000_000
_ID = 16  # bytes a row id that a writer holds to know duplicates: these grow with the store by design


def run(folder: Path, rows: int = ROWS) -> list[Figure]:
    """Ingest and alignment of ``rows`` rows and of ten times as many; stores are made in ``folder``."""
    made = []
    for work, ids in (("ingest", _ID), ("align", 0)):
        few, many = (_peak(work, folder / f"{work}-{count}", count) for count in (rows, 10 * rows))
        detail = f"peak of {work}: {few >> 20} MiB for {rows} rows, {many >> 20} MiB for {10 * rows}" + (
            f", {9 * rows * ids >> 20} MiB of it row ids" if ids else ""
        )
        ratio = (many - 9 * rows * ids) / few
        made.append(Figure(name=f"memory of {work}", ratio=ratio, limit=1.2, at_least=False, detail=detail))
    return made


def _peak(work: str, folder: Path, rows: int) -> int:
    """Bytes that a process held at most."""
    command = [sys.executable, "-m", __spec__.name, work, str(folder), str(rows)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _child(work: str, folder: Path, rows: int) -> int:
    from clinical_jepa.bench.rows import stored, subject_by_subject
    from clinical_jepa.records.instant import MINUTE
    from clinical_jepa.timeline.aligned import aligned

    if work == "ingest":
        stored(folder, rows)
    else:
        tables, codes = subject_by_subject(rows)
        for one in aligned(tables, step=MINUTE, codes=codes):
            assert one.observed.any()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    if sys.argv[1] in ("ingest", "align"):
        print(_child(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
    else:
        for figure in run(Path(sys.argv[1]), *(int(rows) for rows in sys.argv[2:])):
            print(figure)
