"""Which data sets of tables there are. A new one is a folder with a ``reader``, a code map, and one arm here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol, get_args

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.sources.columnar.settle import Settled
from clinical_jepa.sources.context import ReadContext

DataSet = Literal["mimic3", "mimic4", "eicu", "cinc2012", "cinc2019"]
DATA_SETS: tuple[DataSet, ...] = get_args(DataSet)


class TablesReader(Protocol):
    """What the module ``reader`` of a data set offers: a source's reader that can also account for its lines."""

    def find(self, root: Path) -> list[Path]:
        """The units at or below ``root``, in order."""

    def parts(self, path: Path, /) -> list[Path]:
        """Every file whose bytes decide what is read from a unit."""

    def read(self, path: Path, context: ReadContext) -> Iterator[SourceBatch]:
        """The batches of one unit."""

    def account(self, path: Path, context: ReadContext) -> Iterator[Settled]:
        """The same batches, with what became of the lines they come from."""


def reader(data_set: DataSet) -> TablesReader:
    """The reader of a data set."""
    match data_set:
        case "mimic3":
            from clinical_jepa.sources.tables.mimic3 import reader as mimic3

            return mimic3
        case "mimic4":
            from clinical_jepa.sources.tables.mimic4 import reader as mimic4

            return mimic4
        case "eicu":
            from clinical_jepa.sources.tables.eicu import reader as eicu

            return eicu
        case "cinc2012":
            from clinical_jepa.sources.tables.cinc2012 import reader as cinc2012

            return cinc2012
        case "cinc2019":
            from clinical_jepa.sources.tables.cinc2019 import reader as cinc2019

            return cinc2019
