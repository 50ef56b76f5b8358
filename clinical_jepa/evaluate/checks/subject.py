"""The forecaster that a check runs: a fitted model from its folder, or the stand-in where none is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from clinical_jepa.evaluate.checks import stand_in
from clinical_jepa.forecast.forecaster import Forecaster
from clinical_jepa.forecast.policies import from_json
from clinical_jepa.forecast.tasks import load_task
from clinical_jepa.monitor.ward import Ward
from clinical_jepa.records.forecasts import Policy
from clinical_jepa.store.events import Store
from clinical_jepa.store.ledger import Ledger


def judged(model: Path | None) -> tuple[Forecaster, Policy]:
    """The forecaster and its policy."""
    if model is None:
        task = load_task("deterioration-8h")
        return stand_in.StandIn(task), stand_in.policy(task)
    from clinical_jepa.model.forecaster import load_forecaster

    return load_forecaster(model), from_json((model / "policy.json").read_bytes())


def ward(store: Store, model: Path | None, ledger: Ledger | None = None, *, threshold: float | None = None) -> Ward:
    """A ward of this store; its ledger is in memory where none is given. ``threshold``: in place of the policy's own."""
    forecaster, policy = judged(model)
    if threshold is not None:
        policy = replace(policy, threshold=threshold, clear_below=min(policy.clear_below, threshold))
    return Ward(
        store=store, ledger=ledger or Ledger.open(":memory:"), forecaster=forecaster, policy=policy, simulated=True
    )
