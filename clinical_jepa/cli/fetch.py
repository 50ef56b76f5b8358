"""Verbs that use a network: fetch from FHIR servers, pull open data sets. What came is files; ``ingest`` reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Config, Json

fetch = typer.Typer(help="From FHIR servers into a spool folder, which ingest reads.", no_args_is_help=True)
data = typer.Typer(help="Open data sets: which there are, and their files.", no_args_is_help=True)

Base = Annotated[str, typer.Argument(help="Base address of the FHIR server, at or below one of fetch.bases.")]
Spool = Annotated[Path, typer.Option("--spool", help="Folder that the files go to, in one of their own per server.")]
Full = Annotated[bool, typer.Option("--full", help="Everything, not only what changed since the last time.")]


@fetch.command("fhir")
def fhir(
    base: Base,
    types: Annotated[str, typer.Option(help="Resource types, with commas between; default: all we read.")] = "",
    spool: Spool = Path("spool"),
    full: Full = False,
    accept_deletions: Annotated[
        bool, typer.Option("--accept-deletions", help="Believe a server from which most resources have vanished.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """One poll by search, page by page. What is new or changed, and now and then what is gone. Run it on a schedule.

    Example: clinical-jepa fetch fhir https://ehr.example/fhir --types Patient,Encounter,Observation --spool spool
    """
    from clinical_jepa.wiring import fetch as wiring
    from clinical_jepa.wiring import road

    settings = options.settings(config)
    with road.progress("fetch") as tell:
        server = wiring.Server(base=base, spool=spool, progress=tell)
        summary = wiring.fhir(settings, server, types=types, full=full, accept_deletions=accept_deletions)
    options.show(summary, as_json=as_json, text=lambda: wiring.text(summary))
    raise typer.Exit(wiring.status(summary))


@fetch.command("fhir-bulk")
def fhir_bulk(
    base: Base,
    level: Annotated[str, typer.Option(help="Patient, or Group/ID; default: the whole server.")] = "",
    types: Annotated[str, typer.Option(help="Resource types, with commas between; default: all it exports.")] = "",
    spool: Spool = Path("spool"),
    full: Full = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """One bulk export, from the last one's time on. Run again after an interruption, it goes on where it was.

    Example: clinical-jepa fetch fhir-bulk https://ehr.example/fhir --level Group/ward-7 --spool spool
    """
    from clinical_jepa.wiring import fetch as wiring
    from clinical_jepa.wiring import road

    settings = options.settings(config)
    with road.progress("fetch") as tell:
        server = wiring.Server(base=base, spool=spool, progress=tell)
        summary = wiring.fhir_bulk(settings, server, level=level, types=types, full=full)
    options.show(summary, as_json=as_json, text=lambda: wiring.text(summary))
    raise typer.Exit(wiring.status(summary))


@data.command("pull")
def pull(
    name: Annotated[str, typer.Argument(help="Name of the set; data list shows them.")],
    from_: Annotated[
        Path | None,
        typer.Option("--from", help="Folder that has the files already: they are checked and copied, offline."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder to write (default: data/NAME).")] = None,
    base: Annotated[str, typer.Option(help="A mirror instead of the publisher's address.")] = "",
    as_json: Json = False,
) -> None:
    """An open data set, checked file by file. Run again after an interruption, it goes on where it was.

    Example: clinical-jepa data pull mimic3-demo --to data/mimic3-demo
    """
    from clinical_jepa.wiring import fetch as wiring
    from clinical_jepa.wiring import road

    with road.progress("pull") as tell:
        summary = wiring.pull(name, to=to, source=from_, base=base, progress=tell)
    options.show(summary, as_json=as_json, text=lambda: wiring.pulled_text(summary))
    raise typer.Exit(wiring.status(summary))


@data.command("list")
def sets(as_json: Json = False) -> None:
    """The open data sets that pull knows.

    Example: clinical-jepa data list
    """
    from clinical_jepa.wiring import fetch as wiring
    from clinical_jepa.wiring import tables

    rows = wiring.sets()
    options.show(rows, as_json=as_json, text=lambda: tables.text(rows))
