"""Options that several verbs share, and how results are printed."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

Store = Annotated[str | None, typer.Option("--store", help="Store folder (default: store).")]
Model = Annotated[str | None, typer.Option("--model", help="Model folder (default: model).")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Config = Annotated[Path | None, typer.Option("--config", help="Configuration file (default: clinical-jepa.toml).")]
Namespace = Annotated[str | None, typer.Option("--namespace", help="Who issued the identifiers, e.g. mrn or mimic3.")]
Zone = Annotated[str | None, typer.Option("--zone", help="Zone of times without one, e.g. Europe/Berlin.")]
Mode = Annotated[str, typer.Option("--as", help="live: available from now on; history: by the sources' own times.")]
Clock = Annotated[
    str | None, typer.Option("--clock", help="Ward clock: wall, or START[xSPEED], e.g. 2026-01-06T08:00Zx60.")
]


def settings(config: Path | None = None, **flags: Any) -> Any:
    """Effective settings; a flag ``paths_store`` is the key ``paths.store``."""
    from clinical_jepa.wiring import road

    return road.settings({key.replace("_", ".", 1): value for key, value in flags.items()}, file=config)


def show(value: Any, *, as_json: bool, text: Callable[[], str]) -> None:
    """JSON for machines, text for people."""
    print(json.dumps(value, indent=1, default=str) if as_json else text())


def note(text: str) -> None:
    """A line for a person, on stderr."""
    print(text, file=sys.stderr, flush=True)


def on_a_terminal() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty()


def width() -> int | None:
    """Columns of the terminal that is written to (or ``COLUMNS``); None where there is none, as in a pipe."""
    return shutil.get_terminal_size((0, 0)).columns or None
