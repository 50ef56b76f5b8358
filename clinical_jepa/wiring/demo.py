"""The whole road on a simulated ward, with the command line's own steps; each says how long it took."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clinical_jepa.records.instant import HOUR, iso
from clinical_jepa.wiring import compose, delivery, road, tables, ward
from clinical_jepa.wiring.beside import beside
from clinical_jepa.wiring.report import write
from clinical_jepa.wiring.settings import Settings

HOURS = 48
OPENS_AFTER = 36 * HOUR  # the page opens this long after the ward's start …
LEAD_IN = 4 * HOUR  # … with this much monitored before
SPEED = 60
STEPS = 400  # two thirds of the default: the demo is to end in six minutes


def demo(folder: Path, *, subjects: int, records_only: int, seed: int, tell: compose.Tell) -> str:
    """Runs everything below ``folder`` and returns the closing text: tables, report, and how to open the page."""
    from clinical_jepa.evaluate.burden import summary

    folder.mkdir(parents=True, exist_ok=True)
    settings = configured(folder)
    with _step("simulate", tell) as progress:
        _ward(folder, subjects, records_only, seed, progress)
    with _step("ingest", tell) as progress:
        came = road.ingest_summary(settings, [folder / "ward"], mode="history", progress=progress)
    with _step("pretrain", tell) as progress:
        trained = road.pretrain(settings, steps=STEPS, progress=progress)
    with _step("fit", tell) as progress:
        road.fit(settings, progress=progress)
    with beside() as begin:
        judged, monitored = begin(road.leaderboard, settings), begin(lead_in, settings)
        with _step("backtest, evaluate", tell) as progress:
            history = ward.backtested(settings, progress=progress)
        with _step("evaluate, the rest", tell) as progress:
            board = judged(progress)
        with _step("monitor, the rest", tell) as progress:
            monitored(progress)
    with _timed("report", tell):
        report = write(settings, folder / "report.html", board=board, history=history, came=came)
    table = road.kept(settings, board)
    return "\n\n".join([*_tables(came, trained, table, summary(history.held_out)), _closing(folder, report)])


def _ward(folder: Path, subjects: int, records_only: int, seed: int, progress: road.Progress) -> None:
    """The simulated ward: a complete one is used again, anything else makes way with what was built on it."""
    done, wanted = folder / "simulated.json", [subjects, records_only, seed]
    if done.is_file() and json.loads(done.read_text(encoding="utf-8")) == wanted:
        return
    done.unlink(missing_ok=True)
    for part in ("ward", "truth", "store", "model"):
        shutil.rmtree(folder / part, ignore_errors=True)
    road.simulate(folder, subjects=subjects, hours=HOURS, seed=seed, records_only=records_only, progress=progress)
    done.write_text(json.dumps(wanted), encoding="utf-8")


def configured(folder: Path) -> Settings:
    """Settings of the demo, also written to its ``clinical-jepa.toml`` for the commands that follow."""
    opens = _opening()
    text = (
        f'[paths]\nstore = "{(folder / "store").as_posix()}"\nmodel = "{(folder / "model").as_posix()}"\n\n'
        f'[ward]\nclock = "{iso(opens)}x{SPEED}"\nsimulated = true\n'
    )
    file = folder / "clinical-jepa.toml"
    file.write_text(text, encoding="utf-8")
    return road.settings(file=file)


def _opening() -> int:
    return compose.instant("2026-01-05T08:00Z") + OPENS_AFTER


def lead_in(settings: Settings, progress: road.Progress) -> None:
    """Ticks on the ledger on disk up to the page's opening, as the live loop would have done them, and their delivery."""
    from clinical_jepa.alerts import worker
    from clinical_jepa.monitor.tick import tick

    system, opens = compose.ward(settings), _opening()
    instants = range(opens - LEAD_IN, opens + 1, system.policy.task.cadence)
    for number, now in enumerate(instants, start=1):
        tick(system, now)
        worker.relay(system.ledger, delivery.channel(settings), clock=_at(now))
        progress(number, len(instants))


def _at(now: int) -> Callable[[], int]:
    return lambda: now


@contextmanager
def _timed(what: str, tell: compose.Tell) -> Iterator[None]:
    begun = time.monotonic()
    tell(f"{what} …")
    yield
    tell(f"{what}: {time.monotonic() - begun:.0f} s")


@contextmanager
def _step(what: str, tell: compose.Tell) -> Iterator[road.Progress]:
    """A line when it begins and one when it is done; between them, on a terminal, how far it is."""
    with _timed(what, tell), road.progress(what) as progress:
        yield progress


def _tables(came: dict[str, Any], trained: dict[str, Any], board: dict[str, Any], burden: dict[str, Any]) -> list[str]:
    kept = {name: came["total"][name] for name in ("events", "signals", "images")}
    data = {"subjects": trained["subjects"] + trained["tuning"]} | kept | {"quarantined": came["total"]["rejected"]}
    training = {key: trained[key] for key in ("arrivals", "steps", "seconds_training")}
    alerts = tables.flat(burden)
    return [
        f"SIMULATED WARD, {HOURS} hours. Figures are of a simulation.",
        tables.text([data | tables.flat(training)]),
        road.leaderboard_text(board),
        tables.text([alerts], title="alerts over the held-out subjects:"),
    ]


def _closing(folder: Path, report: Path) -> str:
    return (
        f"report: {report}\n"
        f"ward page: clinical-jepa serve --live --config {folder / 'clinical-jepa.toml'}\n"
        f"  (in a clone: .venv/bin/clinical-jepa …; then open http://127.0.0.1:8417/, Ctrl-C ends it)"
    )
