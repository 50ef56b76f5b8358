"""Verbs that listen: what is sent to us lands in a spool folder, which ``ingest`` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Config, Json
from clinical_jepa.wiring import tables

receive = typer.Typer(help="Listen for what is sent to us. It lands durable in a spool folder.", no_args_is_help=True)

Spool = Annotated[Path, typer.Option("--spool", help="Folder for what comes, for ingest.")]


@receive.callback()
def _group() -> None:
    """Each kind of line is a verb of its own."""


@receive.command("mllp")
def mllp(
    spool: Spool = Path("spool/hl7"),
    host: Annotated[
        str | None, typer.Option(help="Address to bind (default: 127.0.0.1); any but the loopback's must be asked for.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port (default: 2575); 0 takes a free one.")] = None,
    limit: Annotated[int, typer.Option(help="Longest message, in bytes.")] = 16 * 1024 * 1024,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """HL7 v2 over MLLP. A message is acknowledged once its file is durable; the same message again is the same file.

    Example: clinical-jepa receive mllp --spool spool/hl7
    """
    from clinical_jepa.wiring import receive as listening

    settings = options.settings(config, mllp_host=host, mllp_port=port)
    received = listening.mllp(listening.mllp_config(settings, spool, limit=limit), tell=options.note)
    options.show(received, as_json=as_json, text=lambda: tables.listing(received))
