"""The parts of one ward, put together."""

from __future__ import annotations

from dataclasses import dataclass

from clinical_jepa.forecast.forecaster import Forecaster
from clinical_jepa.records.errors import WrongModel
from clinical_jepa.records.forecasts import Policy
from clinical_jepa.store.events import Store
from clinical_jepa.store.ledger import Ledger


@dataclass(frozen=True, kw_only=True)
class Ward:
    """Everything a tick needs. ``simulated``: the patients are, and every message says so."""

    store: Store
    ledger: Ledger
    forecaster: Forecaster
    policy: Policy
    simulated: bool = False

    def __post_init__(self) -> None:
        if self.policy.model_id != self.forecaster.model_id:
            raise WrongModel("the policy was fitted for another model than the one that is served; run fit again")
