"""``check skew``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Config


def check_skew(
    subjects: Annotated[
        list[str] | None, typer.Argument(help="Subject ids, or the identifiers their source gave; none: all.")
    ] = None,
    store: Annotated[str | None, typer.Option("--store", help="Store folder.")] = None,
    cases: Annotated[int, typer.Option(help="How many simulated cases.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the simulated cases.")] = 7,
    write: Annotated[
        Path | None,
        typer.Option(help="Add the offsets that are certain to this table, which site.clock_offsets names."),
    ] = None,
    config: Config = None,
) -> None:
    """How far chart and monitor clocks stand apart, by heart rate. With none of --store, subjects and
    --write: of simulated cases, whose offsets are known.

    Example: clinical-jepa check skew 070001 070002 --store demo/store --write clock_offsets.csv
    """
    from clinical_jepa.wiring import skew

    if store is None and not subjects and write is None:
        passed, lines = skew.simulated(cases=cases, seed=seed, tell=options.note)
    else:
        settings = options.settings(config, paths_store=store)
        passed, lines = skew.of_store(settings, subjects or (), write=write)
    for line in lines:
        print(line)
    raise typer.Exit(0 if passed else 1)
