"""Verbs of learning: pretrain, fit, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Config, Json, Model, Store
from clinical_jepa.wiring import tables


def pretrain(
    store: Store = None,
    out: Annotated[str | None, typer.Option("--out", help="Model folder to write (default: model).")] = None,
    steps: Annotated[int, typer.Option(help="Training steps; 0 takes the default of the size.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of initial weights and sampling.")] = 0,
    latent_weight: Annotated[
        float | None, typer.Option(help="Weight of the latent objective; 0 leaves it out.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """The JEPA, trained on the store's training subjects. Run again to resume where it stopped.

    Example: clinical-jepa pretrain --store demo/store --out demo/model
    """
    from clinical_jepa.wiring import road

    settings = options.settings(config, paths_store=store, paths_model=out)
    with road.progress("pretrain") as tell:
        report = road.pretrain(settings, steps=steps, seed=seed, latent_weight=latent_weight, progress=tell)
    options.show(report, as_json=as_json, text=lambda: tables.listing(report))


def fit(
    task: Annotated[str, typer.Argument(help="Name of a task, or its YAML file.")] = "deterioration-8h",
    model: Model = None,
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Heads, calibration and alert policy for a task. From training, tuning and calibration subjects.

    Example: clinical-jepa fit deterioration-8h --model demo/model --store demo/store
    """
    from clinical_jepa.wiring import road

    settings = options.settings(config, paths_store=store, paths_model=model, ward_task=task)
    with road.progress("fit") as tell:
        report = road.fit(settings, progress=tell)
    options.show(report, as_json=as_json, text=lambda: tables.listing(report))


def evaluate(
    model: Model = None,
    store: Store = None,
    train_store: Annotated[
        str | None, typer.Option(help="Store the baselines learn from, when --store is another ward.")
    ] = None,
    latent_zero: Annotated[
        Path | None, typer.Option(help="The same model trained with latent weight 0, for its row.")
    ] = None,
    bootstrap: Annotated[int, typer.Option(help="Patient-level bootstrap draws.")] = 1000,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """The honest table on subjects nobody learned from. With intervals and paired differences.

    Example: clinical-jepa evaluate --model demo/model --store other/store --train-store demo/store
    """
    from clinical_jepa.wiring import road

    settings = options.settings(config, paths_store=store, paths_model=model)
    with road.progress("evaluate") as tell:
        board = road.evaluate(
            settings, train_store=train_store, latent_zero=latent_zero, draws=bootstrap, progress=tell
        )
    options.show(board, as_json=as_json, text=lambda: road.leaderboard_text(board))
