"""The verbs, in the order of the road. Each file of this folder adds its own to ``app``."""

from __future__ import annotations

from typing import Annotated

import typer

from clinical_jepa.cli import beds, bench, data, export, fetch, guard, learn, live, pacs, quarantine, receive, skew

app = typer.Typer(
    name="clinical-jepa",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _said(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"clinical-jepa {version('clinical-jepa')}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_said, is_eager=True, help="Say the version and stop.")
    ] = False,
) -> None:
    """Clinical monitoring with a world model: waveforms, images and records in, calibrated alerts out."""


app.command()(guard.demo)
app.command()(data.simulate)
app.command()(data.ingest)
app.add_typer(fetch.fetch, name="fetch")
app.add_typer(fetch.data, name="data")
app.add_typer(receive.receive, name="receive")
app.add_typer(quarantine.quarantine, name="quarantine")
app.add_typer(pacs.pacs, name="pacs")
app.command()(data.compact)
app.command()(data.subjects)
app.command()(data.timeline)
app.command()(beds.beds)
app.add_typer(export.export, name="export")
app.command()(learn.pretrain)
app.command()(learn.fit)
app.command()(learn.evaluate)
app.command()(live.backtest)
app.command()(live.tick)
app.command()(live.watch)
app.command()(live.relay)
app.command()(live.serve)
guard.check.command("skew")(skew.check_skew)
app.add_typer(guard.check, name="check")
app.add_typer(bench.bench, name="bench")
app.add_typer(guard.config, name="config")
app.command()(guard.doctor)
