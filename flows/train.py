"""Train: pretrain the JEPA, fit heads and policy, evaluate on held-out subjects. Each step is cached on what it depends on."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import INPUTS

from clinical_jepa.wiring import road, schedule


@task(retries=1, retry_delay_seconds=30, cache_policy=INPUTS, persist_result=True)
def pretrain(store: str, model: str, basis: str, steps: int) -> dict[str, Any]:
    """The training report. ``basis`` names the store's content and the code map: same basis, same model, no second run."""
    return road.pretrain(road.settings({"paths.store": store, "paths.model": model}), steps=steps)


@task(retries=1, retry_delay_seconds=30)
def fit(store: str, model: str) -> dict[str, Any]:
    """Heads, calibration and alert policy, written beside the model."""
    return road.fit(road.settings({"paths.store": store, "paths.model": model}))


@task
def evaluate(store: str, model: str) -> dict[str, Any]:
    """The leaderboard on subjects that neither training nor tuning saw."""
    return road.evaluate(road.settings({"paths.store": store, "paths.model": model}))


@flow(name="train")
def train(store: str = "store", model: str = "model", steps: int = 0) -> dict[str, Any]:
    """A new model with its honest table; ``steps`` 0 takes the configured number."""
    settings = road.settings({"paths.store": store})
    with schedule.alone(settings, "train") as mine:
        if not mine:
            return {"left_to": "another run that is at work on this store"}
        pretrain(store, model, road.basis(settings), steps)
        fit(store, model)
        table = evaluate(store, model)
    create_markdown_artifact(
        key="leaderboard", markdown=road.leaderboard_markdown(table), description="Held-out subjects"
    )
    return table


if __name__ == "__main__":
    train.serve(name="train", pause_on_shutdown=False)
