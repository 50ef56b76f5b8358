"""Fetch: what is new on FHIR servers and PACS, into a spool folder that the ingest flow reads; one task a server.

A fetch goes on from where the last one stopped, so a retry, an overlap or a second schedule brings nothing twice. A server
that stays away leaves the others whole, and fails the run at its end.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact

from clinical_jepa.wiring import road, rounds, schedule, tables
from flows.runner import configured


@task(retries=3, retry_delay_seconds=[10, 60, 300], task_run_name="fetch-{kind}")
def fetch_from(kind: str, base: str, spool: str) -> dict[str, Any]:
    """Counts of one server; no name of a patient, and of its address only the host."""
    return rounds.fetch(road.settings(), kind, base, spool)


@flow(name="fetch", log_prints=False, task_runner=configured())
def fetch(
    fhir: list[str], fhir_bulk: list[str], pacs: list[str], store: str = "store", spool: str = "incoming"
) -> list[dict[str, Any]]:
    """Every server by its base address; nothing where another run of this flow is at it already."""
    servers = [
        (kind, base) for kind, bases in zip(rounds.KINDS, (fhir, fhir_bulk, pacs), strict=True) for base in bases
    ]
    with schedule.alone(road.settings({"paths.store": store}), "fetch") as mine:
        if not mine:
            create_markdown_artifact(key="fetch", markdown="another run is at work for this store: left to it")
            return []
        runs = [fetch_from.submit(kind, base, spool) for kind, base in servers]
        results = [run.result(raise_on_failure=False) for run in runs]
        rows = [rounds.row(*server, result) for server, result in zip(servers, results, strict=True)]
        create_markdown_artifact(key="fetch", markdown=tables.markdown(rows), description="What each server had")
        for failed in (result for result in results if isinstance(result, BaseException)):
            raise failed
    return rows


if __name__ == "__main__":
    fetch.serve(name="fetch", pause_on_shutdown=False)
