"""What the monitor asks of a model, and all it knows of one: the only place where a forward pass is bound in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from clinical_jepa.records.forecasts import Memory, Step
from clinical_jepa.records.views import Slice


class Forecaster(Protocol):
    """A model that carries a memory of each patient forward, many patients at once.

    ``step`` must give the same bits for a patient whatever the company in the batch, and however the same arrivals
    were cut into slices on whole minutes. It raises ``WrongModel`` for a memory of another model or subject.
    """

    @property
    def model_id(self) -> str:
        """Content hash of the weights, heads and code map; part of every memory, forecast and policy."""
        ...

    def initial(self, subject_id: int) -> Memory:
        """The memory of a patient of whom nothing is known yet."""
        ...

    def step(self, memories: Sequence[Memory], slices: Sequence[Slice]) -> list[Step]:
        """One ``Step`` for each pair, in order; the new memory's cursor is the slice's ``now``."""
        ...
