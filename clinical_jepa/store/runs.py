"""When scheduled work last began and ended: one small file a kind of work, beside the store, that a watchdog reads.

It says nothing of patients, and it does not ask the scheduler: a scheduler that is healthy and schedules nothing
leaves these files old.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from clinical_jepa.store.files import sync_folder, write_bytes

FOLDER = "runs"


@dataclass(frozen=True, kw_only=True)
class Run:
    """The newest run of a kind of work; instants in µs by wall time. ``ended`` None: under way, or killed."""

    name: str
    began: int
    ended: int | None
    outcome: str | None  # "done", or the name of the error that ended it


def note(root: Path, run: Run) -> None:
    """Keep this as the newest run of its name."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / f"{run.name}.json", json.dumps(asdict(run)).encode())
    sync_folder(folder)


def newest(root: Path) -> dict[str, Run]:
    """By name; a file that cannot be read counts as no run, so that the watchdog speaks up."""
    found = {}
    for path in sorted((root / FOLDER).glob("*.json")):
        try:
            run = Run(**json.loads(path.read_bytes()))
        except (ValueError, TypeError, OSError):
            continue
        found[run.name] = run
    return found
