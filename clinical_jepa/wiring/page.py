"""The ward page of these settings."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_jepa.monitor.stopping import stopping
from clinical_jepa.wiring import compose
from clinical_jepa.wiring.ports import asked_for
from clinical_jepa.wiring.settings import Settings, as_environment

if TYPE_CHECKING:
    from fastapi import FastAPI

    from clinical_jepa.web.state import WardState


def app(settings: Settings) -> FastAPI:
    """The application; without a fitted model it shows the beds and says that nothing is forecast."""
    from clinical_jepa.web.app import create_app
    from clinical_jepa.web.config import WebConfig

    config = WebConfig(
        zone=settings.site.zone,
        host=settings.web.host,
        port=settings.web.port,
        secret=settings.web.secret,
        simulated_patients=settings.ward.simulated,
    )
    return create_app(state(settings), config=config)


def state(settings: Settings) -> WardState:
    """What the page reads. The question is that of the policy in use, which may be older than the task's file."""
    from clinical_jepa.web.state import WardState

    fitted = (Path(settings.paths.model) / "policy.json").is_file()
    policy = compose.policy(settings) if fitted else None
    return WardState(
        store=compose.store(settings),
        ledger=compose.ledger(settings),
        clock=compose.clock(settings),
        task=policy.task if policy else compose.task(settings),
        policy=policy,
    )


def serve(settings: Settings, *, live: bool, tell: compose.Tell) -> None:
    """Serves until Ctrl-C or SIGTERM; ``BadRequest`` where the address cannot be had, before anything is started or announced.

    No access log: addresses carry surrogate ids, and nobody needs them in a log.
    """
    import uvicorn

    async def look() -> None:  # a signal that came before the server took them over
        server.should_exit |= stop.is_set()

    config = uvicorn.Config(
        app(settings), access_log=False, log_level="warning", callback_notify=look, timeout_notify=1
    )
    server = uvicorn.Server(config)
    with _listening(settings.web.host, settings.web.port) as door:
        host = f"[{settings.web.host}]" if ":" in settings.web.host else settings.web.host
        tell(f"ward page: http://{host}:{door.getsockname()[1]}/  (Ctrl-C ends it)")
        # the server hands a signal on when it has ended: unless it is taken here, it would end us before our companions
        with stopping() as stop, _companions(settings, ("watch", "relay") if live else (), tell):
            server.run(sockets=[door])


def _listening(host: str, port: int) -> socket.socket:
    with asked_for("the page", host, port, setting="--port (web.port)"):
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


@contextmanager
def _companions(settings: Settings, verbs: tuple[str, ...], tell: compose.Tell) -> Iterator[None]:
    """Verbs of this program as processes of their own, with these very settings, ended with the page."""
    started = [subprocess.Popen(_command(settings, verb), env=_environment(settings)) for verb in verbs]
    for verb, process in zip(verbs, started, strict=True):
        tell(f"{verb}: process {process.pid}")
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=60)


def _command(settings: Settings, verb: str) -> list[str]:
    program = [sys.executable, "-c", "from clinical_jepa.cli import main; main()", verb]
    return [*program, "--store", settings.paths.store, "--clock", settings.ward.clock]


def _environment(settings: Settings) -> dict[str, str]:
    """Every setting as its variable, so that a companion reads what the page read."""
    return dict(os.environ) | as_environment(settings)
