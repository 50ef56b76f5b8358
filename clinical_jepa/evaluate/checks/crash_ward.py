"""The ward of ``check crash``: the real store, ledger and tick, a stand-in for the model."""

from __future__ import annotations

from pathlib import Path

from clinical_jepa.evaluate.checks.stand_in import StandIn, policy
from clinical_jepa.forecast.tasks import load_task
from clinical_jepa.monitor.ward import Ward
from clinical_jepa.records.instant import DAY, MINUTE
from clinical_jepa.store.events import Store
from clinical_jepa.store.ledger import Ledger

CADENCE = 15 * MINUTE
WEB, FILE = "charge-nurse", "physician"  # who gets alerts by HTTP, and who by file


def ward(folder: Path, ledger: Ledger) -> Ward:
    """The ward whose store lies in ``folder``."""
    task = load_task("deterioration-8h")
    # messages stay valid for the whole run: what has expired may rightly be unsent
    rules = policy(task, recipients=(WEB, FILE), expire_after=60 * DAY)
    return Ward(
        store=Store.open(folder / "store"), ledger=ledger, forecaster=StandIn(task), policy=rules, simulated=True
    )
