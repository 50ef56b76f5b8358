"""Work in the process beside tells how far it is, its result comes back, and so does its failure; nothing outlives us."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.wiring import road
from clinical_jepa.wiring.beside import beside


def ward(records_only: int, subjects: int = 1) -> partial[object]:
    return partial(road.simulate, subjects=subjects, hours=12, seed=7, records_only=records_only)


def test_one_after_the_other_each_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with beside() as begin:
        first, second = begin(ward(3), tmp_path / "one"), begin(ward(1), tmp_path / "two")
        assert first(lambda done, total: told.append((done, total)))["records_only"] == 3
        assert second(lambda *_: None)["records_only"] == 1
        assert second(lambda *_: pytest.fail("it is there already"))["records_only"] == 1
    assert told
    assert told == sorted(told)
    assert {total for _, total in told} == {4}


def test_a_failure_there_is_raised_here(tmp_path: Path) -> None:
    with beside() as begin, pytest.raises(BadRequest):
        begin(ward(1, subjects=-1), tmp_path)(lambda *_: None)


LONG = """
import os, sys, time
from pathlib import Path
from clinical_jepa.wiring.beside import beside

def work(file, progress):
    file.with_suffix(".new").write_text(str(os.getpid()))
    file.with_suffix(".new").rename(file)
    time.sleep(300)

if __name__ == "__main__":
    with beside() as begin:
        begin(work, Path(sys.argv[1]))(lambda *_: None)
"""


def begun(file: Path) -> int:
    """The process that works beside, once it does."""
    end = time.monotonic() + 60
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return int(file.read_text())


def ended(process: int) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":  # nobody waits for it
            return True
        time.sleep(0.05)
    os.kill(process, signal.SIGKILL)
    return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_process_beside_ends_with_the_one_that_began_it(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "long.py").write_text(LONG)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "long.py"), str(tmp_path / "pid")], stderr=subprocess.DEVNULL
    )
    other = begun(tmp_path / "pid")
    process.send_signal(how)
    process.wait(timeout=60)
    assert ended(other)


def test_a_failure_here_ends_what_is_under_way_beside_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "long_work.py").write_text(LONG)
    monkeypatch.syspath_prepend(tmp_path)
    long = importlib.import_module("long_work").work
    with pytest.raises(BadRequest, match="here"), beside() as begin:  # noqa: PT012 - the context is what is tested
        begin(long, tmp_path / "pid")
        other, since = begun(tmp_path / "pid"), time.monotonic()
        raise BadRequest("here")
    assert time.monotonic() - since < 60
    assert ended(other)
