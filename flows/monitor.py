"""Monitor: did the live loop tick? What is missing is ticked now. The loop itself (``watch``) is a process of its own."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact

from clinical_jepa.wiring import road, schedule, tables, ward


@task(retries=2, retry_delay_seconds=[1, 5])
def catch_up(store: str, model: str) -> dict[str, Any]:
    """Ticks that were due and had not happened; each is idempotent, so a loop that is alive loses nothing by this."""
    return ward.catch_up(road.settings({"paths.store": store, "paths.model": model}))


@flow(name="monitor")
def monitor(store: str = "store", model: str = "model") -> dict[str, Any]:
    """Whether ticks happened, how old the newest is, and how many were made up for."""
    with schedule.alone(road.settings({"paths.store": store}), "monitor") as mine:
        report = catch_up(store, model) if mine else {"left_to": "another run that is at work on this store"}
    create_markdown_artifact(
        key="monitor", markdown=tables.markdown([tables.flat(report)]), description="Ticks due and done"
    )
    return report


if __name__ == "__main__":
    monitor.serve(name="monitor", cron="*/5 * * * *", pause_on_shutdown=False)
