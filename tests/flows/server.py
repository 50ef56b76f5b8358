"""A real Prefect server in a process of its own, and what it knows of a run, asked over its API."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.conftest import ROOT

PREFECT = Path(sys.executable).parent / "prefect"
Found = TypeVar("Found")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, probe: Callable[[], Found], seconds: float) -> Found:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := probe():
                return found
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds} s for {what}")


@dataclass(kw_only=True)
class Server:
    """``folder`` holds its database and the logs of what was started beside it."""

    folder: Path
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        }

    def start(self, *arguments: str, cwd: Path = ROOT, **more: str) -> subprocess.Popen[bytes]:
        """``prefect …`` that goes on; killed with the server, or by ``kill``."""
        with (self.folder / f"{arguments[0]}.log").open("wb") as log:
            started = subprocess.Popen(
                [PREFECT, *arguments],
                env=self.environment | {"PWD": str(cwd)} | more,
                cwd=cwd,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(started)
        return started

    def run(self, *arguments: str, cwd: Path = ROOT) -> None:
        """``prefect …`` that ends, and well."""
        there = self.environment | {"PWD": str(cwd)}  # as a shell sets it; prefect.yaml reads it
        done = subprocess.run([PREFECT, *arguments], env=there, cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.processes.remove(process)

    def ask(self, path: str, *, method: str = "POST", **body: object) -> Any:
        """What the server answers. It says 503 while its own database is locked, and nothing was done; its clients ask again."""

        def answered() -> httpx.Response | None:
            got = httpx.request(method, f"{self.api}{path}", json=body, timeout=30)
            return None if got.status_code == httpx.codes.SERVICE_UNAVAILABLE else got

        answer = wait_for("an answer of the server", answered, 60)
        assert answer is not None
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@dataclass(frozen=True)
class Seen:
    """A run of a flow in this process, and what the server was told of it."""

    server: Server
    run: str
    state: Any

    @property
    def result(self) -> Any:
        """What the flow gave; raises what it raised."""
        return self.state.result()

    @property
    def artifacts(self) -> dict[str, str]:
        """Those of this run alone, by key."""
        found = self.server.ask("/artifacts/filter", artifacts={"flow_run_id": {"any_": [self.run]}})
        return {item["key"]: item["data"] for item in found}

    def tasks(self, count: int) -> list[str]:
        """Names of its task runs, once the server knows of ``count`` (it learns of them a little later)."""

        def known() -> list[dict[str, Any]]:
            return list(self.server.ask("/task_runs/filter", flow_runs={"id": {"any_": [self.run]}}))

        wait_for(f"{count} task runs", lambda: len(known()) >= count, 20)
        return sorted(item["name"] for item in known())


def seen(server: Server, flow: Any, *arguments: object, **named: object) -> Seen:
    """The flow, run here to its end."""
    state = flow(*arguments, **named, return_state=True)
    return Seen(server, str(state.state_details.flow_run_id), state)
