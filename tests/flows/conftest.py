"""What flows need to run as Prefect runs them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import SmallWard
from tests.flows.answers import answers
from tests.flows.server import Server, wait_for


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One real server for all tests of flows; its database dies with it."""
    server = Server(folder=tmp_path_factory.mktemp("server"))
    server.start("server", "start", "--host", "127.0.0.1", "--port", str(server.port), "--no-ui")
    try:
        wait_for("the server", lambda: httpx.get(f"{server.api}/health").is_success, 180)
        yield from used(server)
    finally:
        for process in reversed(server.processes[:]):
            server.kill(process)


def used(server: Server) -> Iterator[Server]:
    """By the flows of this process, which leave their results beside it too."""
    from prefect import settings
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    mine = {
        settings.PREFECT_API_URL: server.api,
        settings.PREFECT_LOCAL_STORAGE_PATH: server.folder / "results",
    }
    with settings.temporary_settings(updates=mine):
        yield server
        APILogWorker.drain_all()  # what is still to be told is told before the server goes
        EventsWorker.drain_all()


@pytest.fixture
def ward(small_ward: SmallWard, tmp_path: Path) -> SmallWard:
    """A copy of the small ward that a flow may write to."""
    for name in ("store", "model"):
        shutil.copytree(getattr(small_ward, name), tmp_path / name)
    return SmallWard(tmp_path, small_ward.ward, small_ward.truth, tmp_path / "store", tmp_path / "model")


@pytest.fixture(scope="session")
def expected(small_ward: SmallWard) -> dict[str, bytes]:
    """What the store of one plain run answers."""
    return answers(small_ward.store)
