"""The fetch flow against servers on the loopback: what came is counted, and an outage costs only its own server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clinical_jepa.cli.app import app
from clinical_jepa.records.errors import BadRequest, FetchFailed
from clinical_jepa.store import runs
from clinical_jepa.wiring import road, rounds
from tests.flows.server import Server, seen
from tests.intake.bulk_site import Bulk
from tests.intake.fake_pacs import FakePacs
from tests.intake.fake_pacs import serving as pacs_serving
from tests.intake.fhir_site import Clinic
from tests.intake.server import json_reply, serving
from tests.intake.test_dicomweb import instance

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Clinic]:
    made = Clinic()
    name = [{"system": "urn:ward:mrn", "value": "H-secret"}]
    made.put("Patient", "p1", identifier=name, gender="female")
    made.put("Observation", "o1", status="final", subject={"reference": "Patient/p1"})
    with serving(made.site):
        monkeypatch.setenv("CLINICAL_JEPA_FETCH_BASES", f"{made.site.url}/fhir")
        monkeypatch.chdir(tmp_path)
        yield made


@pytest.fixture
def pacs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePacs]:
    with pacs_serving(FakePacs({"1.2.1": ("20260103", {"1.2.1.1": instance("1.2.1.1")})})) as made:
        monkeypatch.setenv("CLINICAL_JEPA_PACS_BASES", made.base)
        yield made


def test_every_server_is_asked_and_ingest_reads_what_came(
    prefect_server: Server, clinic: Clinic, pacs: FakePacs
) -> None:
    from flows.fetch import fetch

    clinic.extra = Bulk(clinic=clinic, polls=0).answer
    base = f"{clinic.site.url}/fhir"
    came = fetch([base], [], [pacs.base], spool="in")
    second = seen(prefect_server, fetch, [], [base], [pacs.base], spool="in")
    came += second.result
    assert [(one["kind"], one["new"], one["state"]) for one in came] == [
        ("fhir", 2, "done"),
        ("pacs", 1, "done"),
        ("fhir-bulk", 2, "done"),
        ("pacs", 0, "done"),
    ]
    told = second.artifacts["fetch"]
    assert "| 127.0.0.1 | fhir-bulk | done | 2 | 0 | 0 |" in told
    assert second.tasks(2) == ["fetch-fhir-bulk", "fetch-pacs"]
    assert "H-secret" not in told
    assert "p1" not in told
    done = CliRunner().invoke(app, ["ingest", "in", "--store", "store", "--as", "live"])
    assert done.exit_code in (0, 3), done.output
    assert fetch([base], [], [pacs.base], spool="in")[0]["new"] == 0
    assert runs.newest(Path("store"))["fetch"].outcome == "done"


def test_a_server_that_is_away_fails_the_run_and_costs_no_other(
    prefect_server: Server, clinic: Clinic, pacs: FakePacs, monkeypatch: pytest.MonkeyPatch
) -> None:
    import flows.fetch as module

    clinic.extra = lambda request: json_reply({}, 403) if request.path.endswith("/Observation") else None
    monkeypatch.setattr(module, "fetch_from", module.fetch_from.with_options(retries=0))
    run = seen(prefect_server, module.fetch, [f"{clinic.site.url}/fhir"], [], [pacs.base], spool="in")
    with pytest.raises(FetchFailed, match="1 resource types did not come"):
        _ = run.result
    assert "| 127.0.0.1 | fhir | failed: FetchFailed |" in run.artifacts["fetch"]
    assert "| 127.0.0.1 | pacs | done | 1 |" in run.artifacts["fetch"]
    assert list(Path("in").rglob("Patient-*.json"))
    assert list(Path("in").rglob("1.2.1.1.dcm"))
    assert runs.newest(Path("store"))["fetch"].outcome == "FetchFailed"


def test_a_short_outage_is_made_up_for_by_a_retry(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    import flows.fetch as module

    refusals = [json_reply({}, 403)]
    clinic.extra = lambda request: refusals.pop() if refusals and request.path.endswith("/Observation") else None
    monkeypatch.setattr(module, "fetch_from", module.fetch_from.with_options(retries=1, retry_delay_seconds=0))
    (came,) = module.fetch([f"{clinic.site.url}/fhir"], [], [], spool="in")
    assert (came["state"], came["new"], refusals) == ("done", 1, [])


def test_nothing_is_asked_that_the_site_does_not_allow(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINICAL_JEPA_FETCH_BASES", "https://ehr.example/fhir")
    for kind in ("fhir", "fhir-bulk", "pacs", "ftp"):
        with pytest.raises(BadRequest):
            rounds.fetch(road.settings(), kind, f"{clinic.site.url}/fhir", "in")
    assert clinic.site.seen == []
