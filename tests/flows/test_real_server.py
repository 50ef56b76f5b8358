"""A deployment on a real Prefect server and a process worker: runs are created by the schedule, and one of them finishes.

A healthy server proves nothing: with a wrong SQLAlchemy it registers deployments and never schedules (decision 2).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.conftest import ROOT, SmallWard

PREFECT = Path(sys.executable).parent / "prefect"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, probe: Callable[[], object], seconds: float) -> object:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := probe():
                return found
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"waited {seconds} s for {what}")


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in reversed(started):
        os.killpg(process.pid, signal.SIGKILL)


def test_a_scheduled_run_is_created_and_finishes(
    small_ward: SmallWard, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    environment = os.environ | {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_LEVEL": "WARNING",
    }

    def start(*arguments: str) -> None:
        log = (tmp_path / f"{arguments[0]}.log").open("wb")
        processes.append(
            subprocess.Popen(
                [PREFECT, *arguments], env=environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        )

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [PREFECT, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    store = tmp_path / "store"
    shutil.copytree(small_ward.store, store)
    parameters = {"store": str(store), "model": str(small_ward.model)}
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    (monitor,) = [item for item in deployments["deployments"] if item["entrypoint"].endswith(":monitor")]
    monitor |= {"parameters": parameters, "schedules": [{"cron": "* * * * *", "timezone": "UTC"}]}
    file = tmp_path / "prefect.yaml"
    file.write_text(yaml.safe_dump(deployments | {"deployments": [monitor]}))

    start("server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui")
    wait_for("the server", lambda: httpx.get(f"{api}/health").is_success, 120)
    run("work-pool", "create", "--type", "process", "ward")
    run("--no-prompt", "deploy", "--all", "--prefect-file", str(file))
    start("worker", "start", "--pool", "ward")

    def runs(*states: str) -> list[dict]:
        only = {"flow_runs": {"state": {"type": {"any_": list(states)}}}}
        found = httpx.post(f"{api}/flow_runs/filter", json=only).json()
        return [item for item in found if item["auto_scheduled"]]

    wait_for("a run to be scheduled", lambda: runs("SCHEDULED", "PENDING", "RUNNING", "COMPLETED"), 60)
    wait_for("a scheduled run to end", lambda: runs("COMPLETED", "FAILED", "CRASHED"), 180)
    assert runs("FAILED", "CRASHED") == []
    assert runs("COMPLETED")
