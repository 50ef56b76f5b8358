"""``beds``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Config, Json, Store


def beds(
    store: Store = None,
    at: Annotated[
        str | None, typer.Option(help="Then, as known then, e.g. 2026-01-06T08:00Z; default: all that is stored.")
    ] = None,
    devices: Annotated[
        Path | None, typer.Option(help="The site's table device,bed,from,to: whose stream each device sends.")
    ] = None,
    zone: options.Zone = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Who lies in which bed, and whose a device's stream is. Where several patients come into question none is named for
    certain (exit status 3).

    Example: clinical-jepa beds --at 2026-01-06T08:00Z --store demo/store
    """
    from clinical_jepa.wiring import beds as wiring

    found = wiring.beds(options.settings(config, paths_store=store, site_zone=zone), at=at, devices=devices)
    options.show(found, as_json=as_json, text=lambda: wiring.text(found))
    raise typer.Exit(3 if wiring.ambiguous(found) else 0)
