"""The page's process and those that it starts end together, however it is asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clinical_jepa.store.events import Store

PAGE = """
import sys
from clinical_jepa.wiring import page, settings
page._command = lambda settings, verb: [sys.executable, "-c", "import time; time.sleep(120)"]
known = settings.load({}, flags={"paths.store": sys.argv[1], "web.port": 0}).settings
page.serve(known, live=True, tell=lambda text: print(text, flush=True))
print("ended", flush=True)
"""


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_companions_end_with_the_page(tmp_path: Path, asked: signal.Signals) -> None:
    Store.open(tmp_path / "store", create=True)
    page = subprocess.Popen(
        [sys.executable, "-c", PAGE, str(tmp_path / "store")], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert page.stdout is not None
    lines = [page.stdout.readline() for _ in range(3)]
    companions = [int(line.rsplit(" ", 1)[1]) for line in lines[1:]]
    assert all(_alive(process) for process in companions)
    page.send_signal(asked)
    rest, _ = page.communicate(timeout=60)
    assert (rest, page.returncode) == ("ended\n", 0)
    assert not any(_alive(process) for process in companions)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
