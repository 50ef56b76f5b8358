"""Peak memory while the input grows ten times, each run in a process of its own. The larger one takes minutes:

python -m clinical_jepa.bench.memory FOLDER [ROWS]

ROWS of 10000000 is the case of 100 million rows: at 80 bytes a row 8 GB in FOLDER (docs/explanation/scale.md).
Exit status 1: a limit is not kept.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from pathlib import Path

from clinical_jepa.bench.figure import Figure
from clinical_jepa.bench.peak import peak

ROWS = 1_000_000
WORK = ("ingest", "read")
MOST_GIB = 4.0  # of the larger run, up to 100 million rows
GROWTH = 1.2
ROUNDS = 3  # at most: the peak of one and the same walk differs by a tenth from run to run (docs/explanation/scale.md)


def run(folder: Path, rows: int = ROWS) -> list[Figure]:
    """Ingest of ``rows`` rows and of ten times as many, and a walk through each: stores are made in ``folder``.

    Growth goes by the least peak of each size, taken anew (``ROUNDS`` times at most) while it is too much; the absolute
    limit by the highest of all.
    """
    made = []
    for work in WORK:
        few: list[int] = []
        many: list[int] = []
        while not few or (min(many) / min(few) > GROWTH and len(few) < ROUNDS):
            for count, peaks in ((rows, few), (10 * rows, many)):
                peaks.append(_peak(work, folder / f"memory-{count}", count))
        least = f"{min(few) >> 20} MiB for {rows} rows, {min(many) >> 20} MiB for {10 * rows}"
        detail = f"peak of {work}: {least}, {max(many) >> 20} MiB at most"
        for name, ratio, limit in (("", min(many) / min(few), GROWTH), (", GiB", max(many) / 2**30, MOST_GIB)):
            named = f"memory of {work}{name}"
            made.append(Figure(name=named, ratio=ratio, limit=limit, at_least=False, detail=detail))
    return made


def _peak(work: str, folder: Path, rows: int) -> int:
    """Bytes that a process held at most."""
    command = [sys.executable, "-m", __spec__.name, work, str(folder), str(rows)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _child(work: str, folder: Path, rows: int) -> int:
    from clinical_jepa.bench.rows import stored

    if work == "ingest":
        shutil.rmtree(folder, ignore_errors=True)  # of the round before: what a store knows already costs nothing
        stored(folder, rows)
    else:
        walk(folder)
    return peak()


def walk(folder: Path) -> tuple[int, int]:
    """Everybody of a store that is not held in memory, aligned by the minute, and some histories; (subjects, rows of these)."""
    from clinical_jepa.bench.rows import CODES
    from clinical_jepa.records.instant import BEGINNING, END, MINUTE
    from clinical_jepa.store import manifest as manifests
    from clinical_jepa.store.events import Store
    from clinical_jepa.store.segments import by_subject
    from clinical_jepa.timeline.aligned import aligned

    store = Store(folder, manifests.read(folder), held_rows=0)
    arrived = (reader.arrivals(BEGINNING, END) for reader in store.readers())
    grids = (aligned([by_subject(one.events)], step=MINUTE, codes=CODES, origins=one.origins) for one in arrived)
    subjects = [one.subject_id for one in itertools.chain.from_iterable(grids) if one.observed.any()]
    return len(subjects), sum(
        store.history(one, as_of=END).events.num_rows for one in subjects[:: len(subjects) // 20 + 1]
    )


if __name__ == "__main__":
    if sys.argv[1] in WORK:
        print(_child(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
    else:
        figures = run(Path(sys.argv[1]), *(int(rows) for rows in sys.argv[2:]))
        for figure in figures:
            print("met" if figure.met else "NOT MET", figure)
        sys.exit(not all(figure.met for figure in figures))
