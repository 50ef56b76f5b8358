"""Ingest: one task a source, retried with back-off; the artifact says what came and what was quarantined, and why.

Ingest is idempotent by content, so a retry, an overlap or a second schedule adds nothing twice: no cache is needed.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact

from clinical_jepa.wiring import road


@task(retries=3, retry_delay_seconds=[2, 20, 120], task_run_name="ingest-source")
def ingest_source(source: str, store: str, mode: str) -> dict[str, Any]:
    """Counts of one folder; no name of a patient or file."""
    return road.ingest_summary(road.settings({"paths.store": store}), [source], mode=mode)


@flow(name="ingest", log_prints=False)
def ingest(sources: list[str], store: str = "store", mode: str = "live") -> list[dict[str, Any]]:
    """Every source folder into the store."""
    runs = [ingest_source.submit(source, store, mode) for source in sources]
    summaries = [run.result() for run in runs]
    create_markdown_artifact(
        key="ingest", markdown=road.ingest_markdown(summaries), description="What came, what was refused"
    )
    return summaries


if __name__ == "__main__":
    ingest.serve(name="ingest")
