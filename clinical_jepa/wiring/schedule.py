"""Scheduled work: done by one run at a time, noted when it begins and ends, and missed aloud when it stays away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import MINUTE, from_us, iso, to_us
from clinical_jepa.store.runs import Run
from clinical_jepa.wiring.settings import Settings

_LOOK_BACK = timedelta(days=400)  # a schedule that was due in no year is none


@contextmanager
def alone(settings: Settings, name: str) -> Iterator[bool]:
    """True for the one run of ``name`` that may work on this store now; its beginning and end are noted there.

    False where another run is at it: that one sees what this one was started for, or the next does.
    """
    from clinical_jepa.monitor.clock import wall_us
    from clinical_jepa.store import runs
    from clinical_jepa.store.lease import lease

    root = Path(settings.paths.store)
    with lease(root, name) as mine:
        if not mine:
            yield False
            return
        run = Run(name=name, began=wall_us(), ended=None, outcome=None)
        runs.note(root, run)
        try:
            yield True
        except BaseException as error:
            runs.note(root, replace(run, ended=wall_us(), outcome=type(error).__name__))
            raise
        runs.note(root, replace(run, ended=wall_us(), outcome="done"))


def look(file: Path, *, grace: str) -> list[dict[str, Any]]:
    """``watched`` now, with the grace as text, like ``10m``."""
    from clinical_jepa.forecast.tasks import parse_duration
    from clinical_jepa.monitor.clock import wall_us

    return watched(file, now=wall_us(), grace=parse_duration(grace, "--grace"))


def watched(file: Path, *, now: int, grace: int) -> list[dict[str, Any]]:
    """A row a deployment of a ``prefect.yaml``: when it was last due, and whether its store saw that run.

    ``grace`` (µs): how long after its time a run may begin, and how long it may take. The scheduler is not asked: it may be
    healthy and schedule nothing. ``BadRequest`` for a file without cron schedules.
    """
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        deployments = [item for item in content["deployments"] if item.get("schedules")]
    except FileNotFoundError as error:
        raise BadRequest(f"there is no {file}; give the file of your deployments with --file PATH") from error
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise BadRequest(f"{file} holds no deployments ({type(error).__name__}); give a prefect.yaml") from error
    if not deployments:
        raise BadRequest(f"{file}: no deployment has a schedule, so there is nothing to miss")
    return [_judged(item, file.parent, now, grace) for item in deployments]


def _judged(deployment: dict[str, Any], folder: Path, now: int, grace: int) -> dict[str, Any]:
    from clinical_jepa.store import runs

    name = str(deployment["entrypoint"]).rpartition(":")[2]
    root = folder / deployment.get("parameters", {}).get("store", "store")
    run = runs.newest(root).get(name)
    due = max(_last_due(schedule, now - grace) for schedule in deployment["schedules"])
    state, mend = _state(run, due, now, grace)
    return {
        "flow": name,
        "last due": iso(due),
        "began": None if run is None else iso(run.began - run.began % 1_000_000),
        "state": state,
        "to do": mend,
    }


def _state(run: Run | None, due: int, now: int, grace: int) -> tuple[str, str]:
    if run is None:
        return (
            "never ran",
            "is a worker running, and does the server create runs? See docs/how-to/deploy-with-prefect.md",
        )
    if run.ended is None and now - run.began > grace:
        return "hangs or was killed", "look at the worker; the next run goes on where this one stopped"
    if run.began < due - MINUTE:  # a scheduler's clock may be a little behind ours
        return "missed", "runs have stopped appearing: look whether the server creates them, and the worker takes them"
    if run.outcome not in (None, "done"):
        return f"failed: {run.outcome}", "the run's log says why; nothing it committed is lost"
    return "good", ""


def _last_due(schedule: dict[str, Any], by: int) -> int:
    """The newest instant at or before ``by`` at which a cron schedule was due."""
    from cronsim import CronSim, CronSimError

    try:
        zone = ZoneInfo(schedule.get("timezone") or "UTC")
        moment = from_us(by).astimezone(zone)
        for due in CronSim(schedule["cron"], moment + timedelta(minutes=1), reverse=True):
            if due <= moment:
                return to_us(due)
            if _too_old(due, moment):
                break
    except (KeyError, CronSimError, ValueError) as error:
        raise BadRequest(f"a schedule that cannot be read as cron: {schedule!r}") from error
    raise BadRequest(f"a schedule that is never due: {schedule!r}")


def _too_old(due: datetime, moment: datetime) -> bool:
    return moment - due > _LOOK_BACK
