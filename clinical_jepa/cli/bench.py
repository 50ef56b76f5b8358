"""Verbs that measure: bench."""

from __future__ import annotations

from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Json
from clinical_jepa.wiring import tables

bench = typer.Typer(help="What this costs, as ratios against peers in the same run.", no_args_is_help=True)


@bench.callback()
def _group() -> None:
    """Keeps ``ingest`` a word of its own while it is the only bench."""


@bench.command("ingest")
def bench_ingest(
    parts: Annotated[list[str] | None, typer.Argument(help="fhir, wfdb, dicom, align, memory; none: all.")] = None,
    as_json: Json = False,
) -> None:
    """Ingest against its peers and limits, on files it makes itself. Exit status 1 where a limit is not met.

    Example: clinical-jepa bench ingest fhir wfdb
    """
    from clinical_jepa.wiring import bench as measured

    rows = measured.ingest(parts or (), tell=options.note)
    options.show(rows, as_json=as_json, text=lambda: tables.text(rows))
    raise typer.Exit(0 if all(row["met"] == "yes" for row in rows) else 1)
