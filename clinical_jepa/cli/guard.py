"""Verbs that show and guard: demo, check, config, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Config, Json, Model, Store
from clinical_jepa.wiring import tables

check = typer.Typer(
    help="Guards: leakage, replay, crashes, clocks, data sets. Exit status 1 where one fails.", no_args_is_help=True
)
config = typer.Typer(help="Which settings are in force, and where each came from.", no_args_is_help=True)


def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Where to put everything.")] = Path("demo"),
    subjects: Annotated[int, typer.Option(help="Subjects with signals and images.")] = 40,
    records_only: Annotated[int, typer.Option(help="Further subjects with records alone.")] = 400,
    seed: Annotated[int, typer.Option(help="Seed of the simulated ward.")] = 7,
) -> None:
    """The whole road on a simulated ward. Files, store, model, alerts, a table and a report.

    Example: clinical-jepa demo --dir demo
    """
    from clinical_jepa.wiring import demo as road

    print(road.demo(folder, subjects=subjects, records_only=records_only, seed=seed, tell=options.note))


def _checked(passed: bool, lines: list[str]) -> None:
    for line in lines:
        print(line)
    raise typer.Exit(0 if passed else 1)


@check.command("leakage")
def check_leakage(
    subjects: Annotated[int, typer.Option(help="Simulated subjects.")] = 40,
    cuts: Annotated[int, typer.Option(help="How many cuts are tried.")] = 25,
    seed: Annotated[int, typer.Option(help="Seed of ward and scrambling.")] = 7,
) -> None:
    """Scramble what comes after a cut: no output may change. Seeded mistakes must be caught.

    Example: clinical-jepa check leakage
    """
    from clinical_jepa.wiring import guards

    _checked(*guards.leakage(subjects=subjects, cuts=cuts, seed=seed, tell=options.note))


@check.command("replay")
def check_replay(
    subjects: Annotated[int, typer.Option(help="Simulated subjects.")] = 6,
    ticks: Annotated[int, typer.Option(help="Ticks, each in a fresh process.")] = 12,
    seed: Annotated[int, typer.Option(help="Seed of ward and shuffling.")] = 7,
) -> None:
    """Live ticks are byte-identical to the backtest. Fresh processes, shuffled arrivals, a correction after an alert.

    Example: clinical-jepa check replay
    """
    from clinical_jepa.wiring import guards

    _checked(*guards.replay(subjects=subjects, ticks=ticks, seed=seed, tell=options.note))


@check.command("crash")
def check_crash(
    kills: Annotated[int, typer.Option(help="How often a process is killed with SIGKILL.")] = 50,
    seed: Annotated[int, typer.Option(help="Seed of the moments.")] = 7,
) -> None:
    """Kill tick and relay, run them again. Nothing is lost, nothing doubled; a planted bug is caught.

    Example: clinical-jepa check crash --kills 50
    """
    from clinical_jepa.wiring import guards

    _checked(*guards.crash(kills=kills, seed=seed, tell=options.note))


@check.command("agreement")
def check_agreement(
    subjects: Annotated[
        list[str] | None, typer.Argument(help="Subject ids, or the identifiers their source gave; none: all.")
    ] = None,
    store: Store = None,
    out: Annotated[Path | None, typer.Option(help="Draw a picture (.png).")] = None,
    config: Config = None,
) -> None:
    """Whether chart and monitor say the same heart rate. At the same minute, within 5 bpm; none matched is a failure too.

    Example: clinical-jepa check agreement 070001 070002 --store demo/store --out agreement.png
    """
    from clinical_jepa.wiring import guards

    _checked(*guards.agreement(options.settings(config, paths_store=store), subjects or (), out=out))


@check.command("schedule")
def check_schedule(
    file: Annotated[Path, typer.Option("--file", help="File of the deployments.")] = Path("prefect.yaml"),
    grace: Annotated[str, typer.Option(help="How late a run may begin, and how long take.")] = "10m",
    as_json: Json = False,
) -> None:
    """Whether every scheduled run appeared. Asks the stores, not the scheduler; run it from cron or a systemd timer.

    Example: clinical-jepa check schedule --file prefect.yaml --grace 10m
    """
    from clinical_jepa.wiring import schedule

    rows = schedule.look(file, grace=grace)
    options.show(rows, as_json=as_json, text=lambda: tables.text(rows))
    raise typer.Exit(0 if all(row["state"] == "good" for row in rows) else 1)


@config.command("show")
def config_show(file: Config = None, as_json: Json = False) -> None:
    """Every key, its value, and where it came from. Secrets are masked.

    Example: clinical-jepa config show
    """
    from clinical_jepa.wiring import road

    rows = [{"key": key, "value": value, "from": origin} for key, value, origin in road.shown(file)]
    options.show(rows, as_json=as_json, text=lambda: tables.text(rows))


def doctor(store: Store = None, model: Model = None, config: Config = None, as_json: Json = False) -> None:
    """What is wrong here, and how to mend it. Versions, disk, clock, store, servers, byte code.

    Example: clinical-jepa doctor --store demo/store
    """
    from clinical_jepa.wiring import doctor as ward_doctor

    findings = ward_doctor.findings(options.settings(config, paths_store=store, paths_model=model))
    options.show(findings, as_json=as_json, text=lambda: tables.text(findings))
    raise typer.Exit(1 if any(finding["state"] == "wrong" for finding in findings) else 0)
