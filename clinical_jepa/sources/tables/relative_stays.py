"""Stays without any date: each a subject of its own on a relative clock that begins with intensive care."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from clinical_jepa.records.batch import Identity
from clinical_jepa.sources import relative
from clinical_jepa.sources.columnar.candidates import Run
from clinical_jepa.sources.columnar.settle import Settled, refusal
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables.data_set import Table, judged
from clinical_jepa.sources.tables.stay_files import Damaged, Form, stay_blocks
from clinical_jepa.sources.tables.text import Unreadable

YEAR = 31_557_600_000_000  # a Julian year in µs


def everyone(context: ReadContext) -> Callable[[str], Identity]:
    """Gives every stay its subject."""
    known: dict[str, Identity] = {}

    def people(stay: str) -> Identity:
        if stay not in known:
            known[stay] = relative.identity(stay, context)
        return known[stay]

    return people


def read_stays(path: Path, form: Form, table: Table, run: Run) -> Iterator[Settled]:
    """The batches of a zip or a folder of stay files; one refusal for each that cannot be read."""
    try:
        for block in stay_blocks(path, form):
            if isinstance(block, Damaged):
                yield refusal(run.source, f"{run.file}/{Path(block.name).name}", f"{block.name} {block.why}")
            else:
                yield judged(block, table, run)
    except Unreadable as problem:
        yield refusal(run.source, run.file, f"{problem}: nothing of it was kept")


def declared_stays(stays: Iterable[str], context: ReadContext) -> Callable[[str], Identity | None]:
    """The same for the stays that a data set declares."""
    known, all_ = frozenset(stays), everyone(context)
    return lambda stay: all_(stay) if stay in known else None
