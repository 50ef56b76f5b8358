"""A data set of tables: its layout as data, and the one way in which every table of it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from clinical_jepa.records.batch import Identity
from clinical_jepa.sources.columnar.block import Block
from clinical_jepa.sources.columnar.candidates import Run, Shape
from clinical_jepa.sources.columnar.codemap import items
from clinical_jepa.sources.columnar.settle import Columns, Settled, ignored_whole, refusal, settled
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables.text import Unreadable, blocks

SUFFIXES = (".csv", ".csv.gz")


@dataclass(frozen=True, kw_only=True)
class Table:
    """``key`` tells a line from every other, ``shown`` (else the key) is how refusals name it.

    ``needed`` are columns without which the file is not this table; without ``shapes`` its lines are counted as
    ``ignored``. ``look`` reads the whole table before its lines are judged, where one line depends on others.
    """

    needed: tuple[str, ...] = ()
    key: tuple[str, ...] = ("row_id",)
    shown: tuple[str, ...] | None = None
    subject: str = "subject_id"
    encounter: str | None = None
    shapes: tuple[Shape, ...] = ()
    ignored: str = "no fact of this system"
    look: Callable[[Iterator[pl.DataFrame], pl.DataFrame], pl.DataFrame] | None = None

    @property
    def columns(self) -> Columns:
        """Whose a line is, and which."""
        return Columns(subject=self.subject, encounter=self.encounter, key=self.key, shown=self.shown or self.key)


def stem(path: Path) -> str:
    """``CHARTEVENTS`` for ``CHARTEVENTS.csv.gz``."""
    return path.name.removesuffix(".gz").removesuffix(".csv")


def beside(folder: Path, table: str) -> Path | None:
    """The file of a table in a folder, or None."""
    return next((path for suffix in SUFFIXES if (path := folder / f"{table}{suffix}").is_file()), None)


def files(folder: Path, layout: Mapping[str, Table]) -> list[Path]:
    """The tables of a folder in the order of the layout."""
    return [path for table in layout if (path := beside(folder, table))]


def begun(path: Path, table: str, namespace: str, context: ReadContext, source: str = "") -> Run:
    """A run over one file, under the data set's own namespace; its people are still to be told. ``source``: else by table."""
    return Run(
        table=table,
        source=source or f"{namespace}:{table}",
        file=str(path.relative_to(context.root)) if context.root in path.parents else path.name,
        context=replace(context, namespace=namespace),
        items=items(namespace, table),
        people=lambda _: None,
    )


def declared(names: Sequence[str], context: ReadContext) -> Callable[[str], Identity | None]:
    """Gives the subject of an identifier; None for one that is not among ``names``."""
    known: dict[str, Identity | None] = {}
    allowed = frozenset(names)

    def people(identifier: str) -> Identity | None:
        if identifier not in known:
            subject = context.subject(identifier)
            who = Identity(subject_id=subject, namespace=context.namespace, identifier=identifier)
            known[identifier] = who if identifier in allowed else None
        return known[identifier]

    return people


def read_table(path: Path, table: Table, run: Run, told: Callable[[Run], Run] = lambda run: run) -> Iterator[Settled]:
    """The batches of one table; one refusal of a file that is no such table, or lacks those that ``told`` looks into."""
    try:
        run = told(run)
        if table.look is not None:
            run = replace(run, looked=table.look((block.frame for block in blocks(path, table.needed)), run.items))
        for block in blocks(path, table.needed):
            yield judged(block, table, run)
    except Unreadable as problem:
        yield refusal(run.source, run.file, f"{problem}: what is not in the store was not kept")


def judged(block: Block, table: Table, run: Run) -> Settled:
    """The batch of one block of lines."""
    if not table.shapes:
        return settled(block, [ignored_whole(block.frame, table.ignored)], run, table.columns)
    return settled(block, [shape(block.frame, run) for shape in table.shapes], run, table.columns)


def column(path: Path | None, key: str, value: str | None = None) -> pl.DataFrame:
    """Two columns of a (small) table, or one; ``Unreadable`` where it is not there or lacks them."""
    names = [key] if value is None else [key, value]
    if path is None:
        raise Unreadable(f"the table with the columns {', '.join(names)} must lie beside the others")
    frames = [block.frame.select(names) for block in blocks(path, tuple(names))]
    return pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(names, pl.String))
