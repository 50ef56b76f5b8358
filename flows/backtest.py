"""Backtest: the live path over a stretch of history, on a stepped clock and an in-memory ledger."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import INPUTS

from clinical_jepa.wiring import road, schedule, tables, ward


@task(cache_policy=INPUTS, persist_result=True)
def run_backtest(store: str, model: str, basis: str) -> dict[str, Any]:
    """Alerts, burden and lead time. Cached on ``basis``: the store's and the model's content."""
    return ward.backtest(road.settings({"paths.store": store, "paths.model": model}))


@flow(name="backtest")
def backtest(store: str = "store", model: str = "model") -> dict[str, Any]:
    """What the alerts would have been, and what they would have cost."""
    settings = road.settings({"paths.store": store, "paths.model": model})
    with schedule.alone(settings, "backtest") as mine:
        if not mine:
            return {"left_to": "another run that is at work on this store"}
        report = run_backtest(store, model, road.basis(settings, with_model=True))
    create_markdown_artifact(
        key="backtest", markdown=tables.markdown([tables.flat(report)]), description="Alerts over history"
    )
    return report


if __name__ == "__main__":
    backtest.serve(name="backtest", pause_on_shutdown=False)
