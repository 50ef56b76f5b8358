"""``check skew``."""

from __future__ import annotations

from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Config, Store


def check_skew(
    subjects: Annotated[
        list[str] | None, typer.Argument(help="Subject ids, or the identifiers their source gave; none: all.")
    ] = None,
    store: Store = None,
    cases: Annotated[int, typer.Option(help="Simulated cases, where no store is given.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the simulated cases.")] = 7,
    config: Config = None,
) -> None:
    """How far the chart's clock stands from the monitor's, by heart rate; without --store, on simulated offsets.

    Example: clinical-jepa check skew 10013 10061 --store mimic/store
    """
    from clinical_jepa.wiring import skew

    if store is None and not subjects:
        passed, lines = skew.simulated(cases=cases, seed=seed, tell=options.note)
    else:
        passed, lines = skew.of_store(options.settings(config, paths_store=store), subjects or ())
    for line in lines:
        print(line)
    raise typer.Exit(0 if passed else 1)
