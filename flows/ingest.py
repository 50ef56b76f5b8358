"""Ingest: one task a source and shard, retried with back-off; artifacts say what came, what was refused and how fresh it is.

Ingest is idempotent by content, so a retry, an overlap or a second schedule adds nothing twice: no cache is needed. A
source that fails leaves the others whole, and fails the run at its end.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact

from clinical_jepa.wiring import road, schedule, tables
from flows.runner import configured


@task(retries=3, retry_delay_seconds=[2, 20, 120], task_run_name="ingest-source-{shard}")
def ingest_source(source: str, store: str, mode: str, shard: int = 0, of: int = 1) -> dict[str, Any]:
    """Counts of one shard of a folder; no name of a patient or file."""
    return road.ingest_scheduled(road.settings({"paths.store": store}), source, mode=mode, shard=(shard, of))


@flow(name="ingest", log_prints=False, task_runner=configured())
def ingest(sources: list[str], store: str = "store", mode: str = "live", shards: int = 1) -> list[dict[str, Any]]:
    """Every source folder into the store; nothing where another run of this flow is at it already."""
    settings = road.settings({"paths.store": store})
    with schedule.alone(settings, "ingest") as mine:
        if not mine:
            create_markdown_artifact(key="ingest", markdown="another run is at work on this store: left to it")
            return []
        runs = [
            ingest_source.submit(source, store, mode, number, shards) for source in sources for number in range(shards)
        ]
        results = [run.result(raise_on_failure=False) for run in runs]
        came = [result for result in results if isinstance(result, dict)]
        note = {"ingest": road.ingest_markdown(came), "freshness": tables.markdown(road.freshness(settings))}
        for key, text in note.items():
            create_markdown_artifact(
                key=key, markdown=text or "nothing", description="What came, what was refused, how old"
            )
        for failed in (result for result in results if isinstance(result, BaseException)):
            raise failed
        return came


if __name__ == "__main__":
    ingest.serve(name="ingest", pause_on_shutdown=False)
