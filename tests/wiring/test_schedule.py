"""The watchdog asks the store, not the scheduler; scheduled work is done by one run at a time."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from clinical_jepa.cli.app import app
from clinical_jepa.monitor.clock import wall_us
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import MINUTE, SECOND, to_us
from clinical_jepa.store import runs
from clinical_jepa.store.runs import Run
from clinical_jepa.wiring import road, schedule

NOW = to_us(datetime.fromisoformat("2026-03-29T10:07:00Z"))  # the day on which Berlin's clocks go forward
GRACE = 5 * MINUTE


def deployments(folder: Path, *schedules: dict[str, str], store: str = "store") -> Path:
    file = folder / "prefect.yaml"
    one = {"entrypoint": "flows/ingest.py:ingest", "parameters": {"store": store}, "schedules": list(schedules)}
    file.write_text(yaml.safe_dump({"deployments": [one, {"entrypoint": "flows/once.py:once"}]}))
    return file


def state(folder: Path, run: Run | None, cron: str = "*/15 * * * *", zone: str = "UTC", now: int = NOW) -> str:
    if run is not None:
        runs.note(folder / "store", run)
    (row,) = schedule.watched(deployments(folder, {"cron": cron, "timezone": zone}), now=now, grace=GRACE)
    return str(row["state"])


def test_a_run_that_came_is_good(tmp_path: Path) -> None:
    assert state(tmp_path, Run(name="ingest", began=NOW - 6 * MINUTE, ended=NOW, outcome="done")) == "good"


def test_a_scheduler_that_schedules_nothing_is_noticed(tmp_path: Path) -> None:
    assert state(tmp_path, None) == "never ran"
    assert state(tmp_path, Run(name="ingest", began=NOW - 22 * MINUTE, ended=NOW, outcome="done")) == "missed"


def test_within_the_grace_nothing_is_missed_yet(tmp_path: Path) -> None:
    run = Run(name="ingest", began=NOW - 22 * MINUTE, ended=NOW, outcome="done")
    assert state(tmp_path, run, now=NOW - 3 * MINUTE) == "good"


def test_a_run_that_failed_or_was_killed_is_noticed(tmp_path: Path) -> None:
    began = NOW - 7 * MINUTE
    assert state(tmp_path, Run(name="ingest", began=began, ended=NOW, outcome="OSError")) == "failed: OSError"
    assert state(tmp_path, Run(name="ingest", began=began, ended=None, outcome=None)) == "hangs or was killed"
    long_ago = NOW - 40 * MINUTE
    assert state(tmp_path, Run(name="ingest", began=long_ago, ended=None, outcome=None)) == "hangs or was killed"


@pytest.mark.parametrize(
    ("cron", "zone", "due"),
    [
        ("0 12 * * *", "Europe/Berlin", "2026-03-29T10:00:00Z"),  # summer time since that night
        ("0 11 * * *", "UTC", "2026-03-28T11:00:00Z"),
        ("*/15 * * * *", "UTC", "2026-03-29T10:00:00Z"),
        ("0 2 * * 0", "UTC", "2026-03-29T02:00:00Z"),
    ],
)
def test_last_due(tmp_path: Path, cron: str, zone: str, due: str) -> None:
    file = deployments(tmp_path, {"cron": cron, "timezone": zone})
    (row,) = schedule.watched(file, now=NOW, grace=GRACE)
    assert row["last due"] == due


def test_what_is_no_schedule_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot be read as cron"):
        schedule.watched(deployments(tmp_path, {"cron": "every day"}), now=NOW, grace=GRACE)
    with pytest.raises(BadRequest, match="no deployment has a schedule"):
        schedule.watched(deployments(tmp_path), now=NOW, grace=GRACE)
    with pytest.raises(BadRequest, match=r"there is no .*absent\.yaml"):
        schedule.watched(tmp_path / "absent.yaml", now=NOW, grace=GRACE)
    (tmp_path / "other.yaml").write_text("a: b")
    with pytest.raises(BadRequest, match="holds no deployments"):
        schedule.watched(tmp_path / "other.yaml", now=NOW, grace=GRACE)


MANY = 12 * MINUTE  # later than a grace of ten minutes for what is due every minute


@pytest.mark.parametrize(
    ("ago", "ends", "words"),
    [
        ({"ingest": 0, "fetch": 0}, 0, ["good", "good"]),
        ({"ingest": 0, "fetch": MANY}, 1, ["missed", "good"]),
        ({"ingest": MANY, "fetch": 0}, 1, ["good", "missed"]),
        ({"ingest": 0}, 1, ["never ran", "good"]),
        ({}, 1, ["never ran", "never ran"]),
    ],
)
def test_the_verb_ends_with_1_where_a_run_is_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ago: dict[str, int], ends: int, words: list[str]
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")  # no server there: it is not asked
    for name, late in ago.items():
        runs.note(tmp_path / "store", Run(name=name, began=wall_us() - late, ended=wall_us(), outcome="done"))
    each = {"parameters": {"store": "store"}, "schedules": [{"cron": "* * * * *", "timezone": "UTC"}]}
    file = tmp_path / "prefect.yaml"
    file.write_text(yaml.safe_dump({"deployments": [{"entrypoint": f"f.py:{n}"} | each for n in ("fetch", "ingest")]}))
    told = schedule.look(file, grace="10m")
    assert [row["state"] for row in told] == words
    for more in ((), ("--json",)):
        done = CliRunner().invoke(app, ["check", "schedule", "--file", str(file), "--grace", "10m", *more])
        assert done.exit_code == ends, done.output
        assert done.stdout.count("never ran") == words.count("never ran")
    assert [(row["flow"], row["state"]) for row in json.loads(done.stdout)] == list(
        zip(("fetch", "ingest"), words, strict=True)
    )


def test_a_longer_grace_forgives_lateness_alone(tmp_path: Path) -> None:
    late = Run(name="ingest", began=wall_us() - MANY, ended=wall_us(), outcome="done")
    runs.note(tmp_path / "store", late)
    file = deployments(tmp_path, {"cron": "* * * * *"})
    assert [schedule.look(file, grace=grace)[0]["state"] for grace in ("10m", "15m")] == ["missed", "good"]


def test_the_verb_says_which_file_is_absent(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check", "schedule", "--file", str(tmp_path / "absent.yaml")])
    assert isinstance(done.exception, BadRequest)
    assert done.exit_code != 0


def test_alone_notes_beginning_end_and_failure(tmp_path: Path) -> None:
    settings = road.settings({"paths.store": str(tmp_path)})
    with schedule.alone(settings, "ingest") as mine:
        assert mine
        assert runs.newest(tmp_path)["ingest"].ended is None
        with schedule.alone(settings, "ingest") as second:
            assert not second, "an overlapping run leaves the work to the first"
    assert runs.newest(tmp_path)["ingest"].outcome == "done"
    with pytest.raises(OSError, match="disk"), schedule.alone(settings, "ingest"):
        raise OSError("disk full")
    run = runs.newest(tmp_path)["ingest"]
    assert run.outcome == "OSError"
    assert run.ended is not None
    assert run.ended - run.began < 60 * SECOND
