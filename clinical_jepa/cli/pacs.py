"""Verbs of the PACS: fetch what is new over DICOMweb, receive what is sent over C-STORE."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Config, Json
from clinical_jepa.wiring import tables

pacs = typer.Typer(help="Images of a PACS into a spool folder, which ingest reads.", no_args_is_help=True)

Spool = Annotated[Path, typer.Option("--spool", help="Folder for what comes, for ingest.")]


@pacs.command("fetch")
def pacs_fetch(
    base: Annotated[str, typer.Argument(help="Base of the DICOMweb service; it lies below one of pacs.bases.")],
    spool: Spool = Path("spool/dicomweb"),
    since: Annotated[str | None, typer.Option(help="Studies of this day and later, e.g. 20260105.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Every study, whatever came before.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Known instances too: a changed one is kept beside.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """What is new on a PACS, instance by instance, durable. Goes on where it was interrupted (exit status 3: some failed).

    Example: clinical-jepa pacs fetch http://127.0.0.1:8042/dicom-web --spool spool/dicomweb
    """
    from clinical_jepa.wiring import pacs as wired

    fetched = wired.fetch(options.settings(config), base, spool, since=since, full=full, again=again)
    options.show(fetched, as_json=as_json, text=lambda: tables.listing(fetched))
    raise typer.Exit(3 if fetched["failed"] else 0)


@pacs.command("receive")
def pacs_receive(
    spool: Spool = Path("spool/dicom"),
    host: Annotated[
        str, typer.Option(help="Address to bind; any but the loopback's needs pacs.callers.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 11112,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Instances that are sent to us (C-STORE). Confirmed once the file is durable. Stops at SIGTERM.

    Example: clinical-jepa pacs receive --spool spool/dicom --port 11112
    """
    from clinical_jepa.wiring import pacs as wired

    received = wired.receive(options.settings(config), spool, host=host, port=port, tell=options.note)
    options.show(received, as_json=as_json, text=lambda: tables.listing(received))
