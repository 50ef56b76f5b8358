"""The deployments of ``prefect.yaml`` on a real server and a process worker: as written, scheduled, and run to their end.

A healthy server proves nothing: with a wrong SQLAlchemy it registers deployments and never schedules (decision 2).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cronsim import CronSim

from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.store import runs
from clinical_jepa.store.events import Store
from clinical_jepa.wiring import schedule
from tests.conftest import ROOT, SmallWard
from tests.flows.server import Server, wait_for
from tests.intake.fhir_site import Clinic
from tests.intake.server import serving

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]
AS_WRITTEN = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
FLOWS = [item["entrypoint"].rpartition(":")[2] for item in AS_WRITTEN]
ENDED = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]


@dataclass(frozen=True)
class Site:
    """A folder with ``prefect.yaml`` as it is written, deployed, with a worker; ``base`` is the site's FHIR server."""

    server: Server
    folder: Path
    base: str
    deployed: dict[str, dict[str, Any]]  # by flow

    def runs(self, flow: str, *, scheduled: bool) -> list[dict[str, Any]]:
        only = {"id": {"any_": [self.deployed[flow]["id"]]}}
        found = self.server.ask("/flow_runs/filter", deployments=only)
        return [item for item in found if item["auto_scheduled"] is scheduled]

    def ended(self, flow: str, *, scheduled: bool) -> str:
        def first() -> str:
            states = [item["state_type"] for item in self.runs(flow, scheduled=scheduled)]
            return next((state for state in states if state in ENDED), "")

        return wait_for(f"a run of {flow} to end", first, 240)

    def every_minute(self, flow: str) -> None:
        """Its schedule from now on, as nobody waits for a quarter of an hour here."""
        each = {"schedule": {"cron": "* * * * *", "timezone": "UTC"}, "active": True}
        self.server.ask(f"/deployments/{self.deployed[flow]['id']}", method="PATCH", schedules=[each])

    def run(self, flow: str, **parameters: object) -> str:
        """One now, by the worker, with the deployment's parameters but for these; how it ended."""
        self.server.ask(f"/deployments/{self.deployed[flow]['id']}/create_flow_run", parameters=parameters)
        return self.ended(flow, scheduled=False)


@pytest.fixture(scope="module")
def clinic() -> Iterator[Clinic]:
    made = Clinic()
    made.put("Patient", "p1", identifier=[{"system": "urn:ward:mrn", "value": "H-secret"}], gender="female")
    pulse = {
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "valueQuantity": {"value": 71, "system": "http://unitsofmeasure.org", "code": "/min"},
        "effectiveDateTime": "2026-01-05T10:00:00Z",
    }
    made.put("Observation", "o1", status="final", subject={"reference": "Patient/p1"}, **pulse)
    with serving(made.site):
        yield made


@pytest.fixture(scope="module")
def site(
    prefect_server: Server, small_ward: SmallWard, clinic: Clinic, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    server, folder = prefect_server, tmp_path_factory.mktemp("site")
    shutil.copytree(small_ward.store, folder / "store")
    (folder / "model").symlink_to(small_ward.model)
    (folder / "flows").symlink_to(ROOT / "flows")
    shutil.copy(ROOT / "prefect.yaml", folder)
    server.run("work-pool", "create", "--type", "process", "ward", cwd=folder)
    server.run("--no-prompt", "deploy", "--all", cwd=folder)
    by_id = {item["id"]: item["name"] for item in server.ask("/flows/filter")}
    found = {by_id[item["flow_id"]]: item for item in server.ask("/deployments/filter")}
    made = Site(server, folder, f"{clinic.site.url}/fhir", found)
    worker = server.start("worker", "start", "--pool", "ward", cwd=folder, CLINICAL_JEPA_FETCH_BASES=made.base)
    yield made
    server.kill(worker)


def test_every_deployment_is_accepted_as_written_and_gets_its_runs(site: Site) -> None:
    for flow, written in zip(FLOWS, AS_WRITTEN, strict=True):
        got = site.deployed[flow]
        told = {key: got[key] for key in ("name", "entrypoint", "description", "parameters")}
        assert told == {key: written[key] for key in told}
        assert got["work_pool_name"] == written["work_pool"]["name"]
        schedules = [(item["active"], item["schedule"]) for item in got["schedules"]]
        assert [(active, item["cron"], item["timezone"]) for active, item in schedules] == [
            (True, item["cron"], item["timezone"]) for item in written["schedules"]
        ]
        assert not got["paused"]
        assert [step for one in got["pull_steps"] for step in one.values()] == [{"directory": str(site.folder)}]
    assert len(site.deployed) == len(AS_WRITTEN)
    for flow, written in zip(FLOWS, AS_WRITTEN, strict=True):
        wait_for(f"runs of {flow}", lambda flow=flow: site.runs(flow, scheduled=True), 90)
        for run in site.runs(flow, scheduled=True):
            due = datetime.fromisoformat(run["expected_start_time"])
            assert next(CronSim(written["schedules"][0]["cron"], due - timedelta(minutes=1))) == due


def test_a_worker_fetches_ingests_and_monitors_and_the_watchdog_sees_it(site: Site) -> None:
    store = site.folder / "store"
    before = Store.open(store).arrivals(BEGINNING, END).events.num_rows
    site.every_minute("monitor")
    assert site.run("fetch", fhir=[site.base]) == "COMPLETED"
    assert list((site.folder / "incoming").rglob("Patient-*.json"))
    assert site.run("ingest") == "COMPLETED"
    assert Store.open(store).arrivals(BEGINNING, END).events.num_rows > before
    assert site.ended("monitor", scheduled=True) == "COMPLETED"
    noted = runs.newest(store)
    assert {noted[name].outcome for name in ("fetch", "ingest", "monitor")} <= {"done", None}, "None: the next one runs"
    states = {row["flow"]: row["state"] for row in schedule.look(site.folder / "prefect.yaml", grace="10m")}
    assert {states[name] for name in ("fetch", "ingest", "monitor")} == {"good"}
    assert {name for name in FLOWS if states[name] == "never ran"} == set(FLOWS) - set(noted)
