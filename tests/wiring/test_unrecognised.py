"""What ingest did not recognise is said: in its summary, in its JSON, by name; in the flow's artifact as a count."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from clinical_jepa.cli.app import app
from clinical_jepa.monitor import stopping
from clinical_jepa.sources.fhir import reader as fhir
from clinical_jepa.wiring import road
from clinical_jepa.wiring.settings import Settings
from tests.permissions import modes_hold

EXAMPLES = Path(fhir.__file__).parent / "examples" / "ward"


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLES, tmp_path / "ward"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return road.settings({"paths.store": str(tmp_path / "store")})


def ingest(ward: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["ingest", str(ward), "--store", str(ward.parent / "store"), *options])


def test_it_is_told_with_a_few_names_and_changes_no_exit_status(ward: Path) -> None:
    assert "not recognised" not in ingest(ward).output
    for name in ("export.xlsx", "notes.pdf"):
        (ward / name).touch()
    told = ingest(ward)
    assert told.exit_code == 0
    assert "not recognised, and not read: 2 files (export.xlsx, notes.pdf)" in told.output
    for name in ("a.doc", "b.doc"):
        (ward / name).touch()
    assert "not recognised, and not read: 4 files (a.doc, b.doc, export.xlsx, …)" in ingest(ward).output
    said = json.loads(ingest(ward, "--json").output)["unrecognised"]
    assert said == {"files": 4, "names": ["a.doc", "b.doc", "export.xlsx"], "closed": []}


def test_a_folder_that_may_not_be_looked_into_is_not_done_with(ward: Path) -> None:
    (ward / "locked").mkdir(mode=0)
    with modes_hold():
        told = ingest(ward)
    assert told.exit_code == 3
    assert "not looked into: 1 folder (locked); make them readable for this user, and ingest again" in told.output


def test_of_several_shards_the_first_one_tells(ward: Path, settings: Settings) -> None:
    (ward / "patient-Smith.pdf").touch()
    came = [road.ingest_scheduled(settings, str(ward), mode="history", shard=(number, 2)) for number in range(2)]
    assert [summary["unrecognised"]["files"] for summary in came] == [1, 0]
    note = road.ingest_markdown(came)
    assert "not recognised: 1 file(s)" in note
    assert "Smith" not in note


def test_a_schedule_tells_it_where_there_was_nothing_else(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.pdf").touch()
    summary = road.ingest_scheduled(settings, str(tmp_path / "in"), mode="live")
    assert summary["unrecognised"]["names"] == ["notes.pdf"]


def test_a_watch_tells_it_once_and_again_when_it_changes(
    ward: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = ["notes.pdf", "", "export.xlsx"]
    stop = threading.Event()

    class Waiting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if looks and (name := looks.pop(0)):
                (ward / name).touch()
            elif not looks:
                self.set()
            return True

    stop = Waiting()

    class Stopping:
        def __enter__(self) -> threading.Event:
            return stop

        def __exit__(self, *_: Any) -> None: ...

    monkeypatch.setattr(stopping, "stopping", Stopping)
    said: list[str] = []
    road.ingest_watch(settings, [ward], mode="history", every=1, tell=said.append)
    assert [line for line in said if "recognised" in line] == [
        "not recognised, and not read: 1 file (notes.pdf)",
        "not recognised, and not read: 2 files (export.xlsx, notes.pdf)",
    ]
