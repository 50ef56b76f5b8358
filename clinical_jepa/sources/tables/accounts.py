"""What became of every line of every table of a folder, held against a count of lines that knows nothing of the readers."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from clinical_jepa.sources.columnar.settle import Lines
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables.data_sets import DATA_SETS, DataSet, reader
from clinical_jepa.sources.tables.text import opened


@dataclass(frozen=True, kw_only=True)
class TableAccount:
    """One table: ``in_file`` lines were counted in the file (None where it cannot be read), ``lines`` came out of it."""

    data_set: DataSet
    path: Path
    lines: Lines
    in_file: int | None
    facts: int
    refusals: int
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether every line of the file is stored, refused or ignored, and none twice."""
        return self.lines.whole and self.in_file in (None, self.lines.count)


def accounts(folder: Path, context: ReadContext) -> Iterator[TableAccount]:
    """Reads every table at or below a folder; nothing is stored."""
    for data_set in DATA_SETS:
        for path in reader(data_set).find(folder):
            start, lines, facts, refusals = perf_counter(), Lines(), 0, 0
            for settled in reader(data_set).account(path, context):
                lines += settled.lines
                facts += settled.batch.events.num_rows
                refusals += len(settled.batch.rejections)
            yield TableAccount(
                data_set=data_set,
                path=path,
                lines=lines,
                in_file=counted(path),
                facts=facts,
                refusals=refusals,
                seconds=perf_counter() - start,
            )


def counted(path: Path) -> int | None:
    """The records of a file without its head (of all files of a zip or folder, without theirs), by the csv module."""
    try:
        if path.is_dir():
            return sum(_records(one.read_bytes()) for one in path.iterdir() if one.suffix in (".txt", ".psv"))
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if name.endswith((".txt", ".psv"))]
                return sum(_records(archive.read(name)) for name in names)
        with opened(path) as file, io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="") as text:
            return sum(1 for row in csv.reader(text) if row) - 1
    except (OSError, EOFError, zipfile.BadZipFile, csv.Error):
        return None


def _records(text: bytes) -> int:
    return sum(1 for line in text.splitlines() if line.strip()) - 1
