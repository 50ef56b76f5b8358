"""A small ward of the stand-in forecaster, in a store on disk, and ways to write into it and to tick it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clinical_jepa.evaluate.checks.script import Line, at, batch
from clinical_jepa.evaluate.checks.stand_in import StandIn, policy
from clinical_jepa.monitor.rewind import replay, unseen
from clinical_jepa.monitor.tick import tick
from clinical_jepa.monitor.ward import Ward
from clinical_jepa.records.forecasts import Memory
from clinical_jepa.records.ward import TickReport
from clinical_jepa.store.events import Store
from clinical_jepa.store.ledger import Ledger

RULES = policy()


def plain(pixels: np.ndarray, spacing: tuple[float, float] | None) -> np.ndarray:
    return np.zeros((64, 64), np.float32)


@dataclass(frozen=True)
class Scene:
    ward: Ward

    @classmethod
    def open(cls, folder: Path, **rules: object) -> Scene:
        store = Store.open(folder / "store", create=True)
        task = RULES.task
        made = policy(task, **rules)
        ledger = Ledger.open(folder / "ledger.sqlite")
        return cls(Ward(store=store, ledger=ledger, forecaster=StandIn(task), policy=made, simulated=True))

    def history(self, lines: Iterable[Line]) -> None:
        self.ward.store.append([batch(lines)], mode="history", now=at(0), prepare=plain)

    def live(self, lines: Iterable[Line], minute: float) -> None:
        self.ward.store.append([batch(lines)], mode="live", now=at(minute), prepare=plain)

    def tick(self, minute: float) -> TickReport:
        return tick(self.ward, at(minute))

    def ticks(self, *minutes: float) -> list[TickReport]:
        return [self.tick(minute) for minute in minutes]

    def from_scratch(self, subject: int, minute: float) -> Memory:
        """The memory made at once of everything that is seen as of then."""
        start = replay(self.ward, unseen(subject), now=at(minute))
        return self.ward.forecaster.step([start.memory], [start.slice])[0].memory

    def eligibility_from_scratch(self, subject: int, minute: float) -> bytes:
        return replay(self.ward, unseen(subject), now=at(minute)).patient.eligibility
