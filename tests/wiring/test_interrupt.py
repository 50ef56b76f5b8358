"""Ctrl-C says what was kept, and wrong numbers are wrong use, not a crash."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import command

PROGRAM = [sys.executable, "-c", "from clinical_jepa.cli import main; main()"]


def test_ctrl_c_says_that_what_was_committed_is_kept(tmp_path: Path) -> None:
    """Asked once work is under way: while numpy is still imported, its compiled modules swallow what a signal raises."""
    many = ("simulate", str(tmp_path), "--subjects", "0", "--records-only", "8000", "--hours", "12")
    process = subprocess.Popen(["env", "--default-signal", *PROGRAM, *many], stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    try:
        while not any(file.stat().st_size for file in tmp_path.glob("ward/fhir/*")):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()  # who was not heard would go on for minutes
    assert process.returncode == 130
    assert "what was committed is kept" in said


def test_wrong_numbers_are_wrong_use(tmp_path: Path) -> None:
    command("simulate", str(tmp_path), "--hours", "0", cwd=tmp_path, allowed=(2,))
    command("simulate", str(tmp_path), "--hours", "-1", cwd=tmp_path, allowed=(2,))
