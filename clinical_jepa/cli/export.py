"""Verbs about data sets: export to MEDS; checks of MEDS datasets and of tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.guard import check
from clinical_jepa.cli.options import Config, Json, Store
from clinical_jepa.wiring import tables

export = typer.Typer(help="The store in the formats of others.", no_args_is_help=True)


@export.command("meds")
def export_meds(
    out: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    view: Annotated[
        str, typer.Option(help="known: at the time when it became known; clinical: when it was true.")
    ] = "known",
    as_of: Annotated[str | None, typer.Option(help="What was known then; default: everything.")] = None,
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """The store as a MEDS 0.4 dataset. Data by subject, codes, splits, description.

    Example: clinical-jepa export meds meds --view known --store demo/store
    """
    from clinical_jepa.wiring import datasets

    counts = datasets.export_meds(options.settings(config, paths_store=store), out, view=view, as_of=as_of)
    options.show(counts, as_json=as_json, text=lambda: tables.listing(counts))


def _checked(passed: bool, lines: list[str]) -> None:
    for line in lines:
        print(line)
    raise typer.Exit(0 if passed else 1)


@check.command("meds")
def check_meds(folder: Annotated[Path, typer.Argument(help="The dataset: data/ and metadata/ lie in it.")]) -> None:
    """Every breach of the MEDS standard, with its file and row.

    Example: clinical-jepa check meds meds
    """
    from clinical_jepa.wiring import datasets

    _checked(*datasets.check_meds(folder))


@check.command("tables")
def check_tables(
    folder: Annotated[Path, typer.Argument(help="Tables of MIMIC-III, MIMIC-IV, eICU, CinC 2012 or 2019.")],
    items: Annotated[bool, typer.Option("--items", help="Also the items that no code map lists.")] = False,
    zone: options.Zone = None,
    config: Config = None,
) -> None:
    """What becomes of every line of every table. Nothing is stored; a line that is missing is a failure.

    Example: clinical-jepa check tables data/mimic3-demo
    """
    from clinical_jepa.wiring import datasets

    _checked(*datasets.check_tables(options.settings(config, site_zone=zone), folder, items=items))
