"""``ingest --watch`` takes what comes while it runs, waits where nothing has come yet, and ends when asked."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clinical_jepa.records.instant import END
from clinical_jepa.sources.fhir import reader as fhir
from clinical_jepa.store.events import Store
from clinical_jepa.wiring import road
from tests.conftest import command

EXAMPLES = Path(fhir.__file__).parent / "examples" / "ward"
PROGRAM = "from clinical_jepa.cli import main; main()"


def people(store: Path) -> int:
    return Store.open(store).subjects(END).num_rows if (store / "manifest.json").is_file() else 0


@pytest.mark.slow
def test_files_that_come_later_are_taken_and_sigterm_ends_it(tmp_path: Path) -> None:
    incoming, store = tmp_path / "incoming", tmp_path / "store"
    incoming.mkdir()
    watching = ("ingest", str(incoming), "--store", str(store), "--as", "history", "--watch", "0.2")
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *watching], stderr=subprocess.PIPE, text=True)
    try:
        for number, name in enumerate(("one", "two"), start=1):
            shutil.copytree(EXAMPLES, tmp_path / name)
            for file in (tmp_path / name).iterdir():
                file.write_text(file.read_text().replace("000123", f"00{number}"))  # a patient of its own
            shutil.move(tmp_path / name, incoming / name)
            end = time.monotonic() + 120
            while people(store) < number:
                assert time.monotonic() < end, f"{name} was not taken"
                assert process.poll() is None
                time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 0, said
    assert "looking every 0.2 s" in said


def test_what_cannot_be_watched_is_said(tmp_path: Path) -> None:
    said = command("ingest", str(tmp_path / "absent"), "--watch", "1", cwd=tmp_path, allowed=(2,))
    assert said == ""
    assert command("ingest", str(tmp_path), "--watch", "0", cwd=tmp_path, allowed=(2,)) == ""


def test_an_empty_folder_is_no_failure_to_a_schedule(tmp_path: Path) -> None:
    settings = road.settings({"paths.store": str(tmp_path / "store")})
    (tmp_path / "incoming").mkdir()
    summary = road.ingest_scheduled(settings, str(tmp_path / "incoming"), mode="live")
    assert summary["total"]["files"] == 0
    assert summary["empty"] == [str(tmp_path / "incoming")]
    assert road.ingest_markdown([summary])
