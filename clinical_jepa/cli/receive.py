"""Verbs that listen: what is sent to us lands in a spool folder, which ``ingest`` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Json
from clinical_jepa.wiring import tables

receive = typer.Typer(help="Listen for what is sent to us; it lands durable in a spool folder.", no_args_is_help=True)

Spool = Annotated[Path, typer.Option("--spool", help="Folder for what comes; ingest reads it there.")]


@receive.callback()
def _group() -> None:
    """Each kind of line is a verb of its own."""


@receive.command("mllp")
def mllp(
    spool: Spool = Path("spool/hl7"),
    host: Annotated[str, typer.Option(help="Address to bind; any but the loopback's must be asked for.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 2575,
    limit: Annotated[int, typer.Option(help="Longest message, in bytes.")] = 16 * 1024 * 1024,
    as_json: Json = False,
) -> None:
    """HL7 v2 over MLLP: a message is acknowledged once its file is durable; the same message again is the same file.

    Example: clinical-jepa receive mllp --spool spool/hl7
    """
    from clinical_jepa.intake.mllp import MllpConfig
    from clinical_jepa.wiring import receive as listening

    config = MllpConfig(spool=spool, host=host, port=port, limit=limit)
    received = listening.mllp(config, tell=options.note)
    options.show(received, as_json=as_json, text=lambda: tables.listing(received))
