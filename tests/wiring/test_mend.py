"""Whatever ends the mending of a refusal, the patient's resource is left in no private file, and what became of it is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clinical_jepa.cli.app import app
from clinical_jepa.records.errors import BadRequest
from tests.wiring.test_interrupt import PROGRAM
from tests.wiring.test_people import ward
from tests.wiring.test_verbs import typed

CHANGES = """#!/bin/sh
sed -i 's|"value": 80|"value": 80, "code": "/min"|' "$1"
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a heart rate that came without its unit."""
    (tmp_path / "private").mkdir()
    typed("ingest", ward(tmp_path / "in", None), "--store", tmp_path / "store")
    return tmp_path / "store"


def refused(store: Path) -> list[str]:
    rows = json.loads(typed("quarantine", "list", "--store", store, "--json").stdout)["rows"]
    return [row["rejection_id"] for row in rows]


def editor(store: Path, then: str) -> str:
    file = store.with_name("editor")
    file.write_text(CHANGES + then)
    file.chmod(0o700)
    return str(file)


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGTERM])
def test_who_is_ended_while_the_editor_is_open_leaves_no_file(store: Path, how: signal.Signals) -> None:
    (rejection,) = refused(store)
    private, opened = store.with_name("private"), store.with_name("opened")
    waits = editor(store, f"touch {opened}\nexec sleep 60\n")
    # As at a terminal: who runs the tests under nohup would hand down that a hang-up is ignored.
    process = subprocess.Popen(
        ["env", "--default-signal", *PROGRAM, "quarantine", "mend", rejection, "--store", str(store)],
        env=os.environ | {"EDITOR": waits, "VISUAL": waits, "TMPDIR": str(private)},
    )
    end = time.monotonic() + 60
    while not opened.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert len(list(private.rglob("*.json"))) == 1
    process.send_signal(how)
    assert process.wait(timeout=60) == 128 + how
    assert list(private.iterdir()) == []
    assert refused(store) == [rejection]


def test_what_ends_us_is_afterwards_what_it_was(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN), signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("EDITOR", "true")
    monkeypatch.delenv("VISUAL", raising=False)
    typed("quarantine", "mend", refused(store)[0], "--store", store)
    assert (signal.signal(signal.SIGHUP, before[0]), signal.getsignal(signal.SIGTERM)) == (signal.SIG_IGN, before[1])


@pytest.mark.parametrize(("then", "gone"), [("exit 1\n", True), ("rm $1; exit 1\n", False)])
def test_an_editor_that_fails_after_saving_takes_nothing_and_that_is_said(
    store: Path, monkeypatch: pytest.MonkeyPatch, then: str, *, gone: bool
) -> None:
    (rejection,) = refused(store)
    monkeypatch.setattr("tempfile.tempdir", str(store.with_name("private")))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor(store, then))
    done = CliRunner().invoke(app, ["quarantine", "mend", rejection, "--store", str(store)])
    assert isinstance(done.exception, BadRequest)
    said = str(done.exception)
    assert "ended with status 1: nothing was taken, the refusal is kept" in said
    assert ("what was changed is gone: its file was removed" in said) is gone
    assert "\n" not in said
    assert list(store.with_name("private").iterdir()) == []
    assert refused(store) == [rejection]
