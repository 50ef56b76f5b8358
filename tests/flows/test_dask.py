"""Where a site names Dask, the tasks run there, and the store is the same; flows are started as a worker starts them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SmallWard
from tests.flows.answers import answers
from tests.flows.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]
INGEST = """
import sys
from flows.fetch import fetch
from flows.ingest import ingest
print("fetch runs on", type(fetch.task_runner).__name__)
ingest([sys.argv[1]], store=sys.argv[2], mode="history", shards=2)
"""


def ingested(server: Server, ward: Path, folder: Path, **more: str) -> str:
    """What a process of its own, started in ``folder``, said while it ran the flow."""
    environment = server.environment | {"PREFECT_LOGGING_LEVEL": "INFO", "PREFECT_LOGGING_COLORS": "false"} | more
    program = [sys.executable, "-c", INGEST, str(ward), str(folder / "s")]
    done = subprocess.run(
        program, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_cluster_of_the_run_as_the_file_says(
    prefect_server: Server, small_ward: SmallWard, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    (tmp_path / "clinical-jepa.toml").write_text('[flows]\nrunner = "dask"\nworkers = 2\n')
    said = ingested(prefect_server, small_ward.ward, tmp_path, DASK_LOGGING__DISTRIBUTED="info")
    assert "Creating a new Dask cluster" in said
    assert "fetch runs on DaskTaskRunner" in said
    assert said.count("Register worker addr") == 2, said
    assert answers(tmp_path / "s") == expected


def test_a_cluster_that_stands_already(
    prefect_server: Server, small_ward: SmallWard, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        said = ingested(
            prefect_server,
            small_ward.ward,
            tmp_path,
            CLINICAL_JEPA_FLOWS_RUNNER="dask",
            CLINICAL_JEPA_FLOWS_DASK_ADDRESS=cluster.scheduler_address,
        )
        worked = {entry[0] for entry in cluster.scheduler.transition_log if entry[2] == "memory"}
    assert "Creating a new Dask cluster" not in said
    assert len(worked) == 2, "one task a shard"
    assert answers(tmp_path / "s") == expected


@pytest.mark.parametrize("address", ["", "tcp://dask.example:8786"])
def test_how_many_workers_or_which_cluster_is_configured(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    from flows.runner import configured

    monkeypatch.setenv("CLINICAL_JEPA_FLOWS_WORKERS", "3")
    assert configured()._max_workers == 3  # type: ignore[attr-defined]
    monkeypatch.setenv("CLINICAL_JEPA_FLOWS_RUNNER", "dask")
    monkeypatch.setenv("CLINICAL_JEPA_FLOWS_DASK_ADDRESS", address)
    runner: Any = configured()
    assert runner.address == (address or None)
    assert runner.cluster_kwargs.get("n_workers") == (None if address else 3)
