"""A forecaster for checks of everything around the model: its memory changes with any bit that it reads.

The memory is a running digest of every arrival in order, and the newest value of each code. Its law is the model's:
how arrivals were cut into slices does not matter, one missing, added, moved or altered value does. The score rises as
the newest mean pressure falls, so that a script in time decides when there is an alert.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from clinical_jepa.forecast.policies import seal
from clinical_jepa.forecast.tasks import load_task
from clinical_jepa.records.errors import WrongModel
from clinical_jepa.records.forecasts import Memory, Policy, Reason, Step, Task
from clinical_jepa.records.instant import BEGINNING, HOUR, MINUTE
from clinical_jepa.records.views import Slice
from clinical_jepa.vocabulary.codes import codes

MODEL_ID = "stand-in"
PRESSURE = "LOINC//8478-0"


class StandIn:
    """Implements ``forecast.forecaster.Forecaster`` for a task, without tensors."""

    def __init__(self, task: Task) -> None:
        self._shape = (len(task.vitals), len(task.horizons), len(task.quantiles))

    @property
    def model_id(self) -> str:
        """Constant: there is nothing to train."""
        return MODEL_ID

    def initial(self, subject_id: int) -> Memory:
        """Nothing read, nothing known."""
        return _packed(subject_id, BEGINNING, {"digest": {}, "values": {}, "rows": 0})

    def step(self, memories: Sequence[Memory], slices: Sequence[Slice]) -> list[Step]:
        """One step a pair; ``WrongModel`` for a memory of another subject or model."""
        return [self._one(memory, slice_) for memory, slice_ in zip(memories, slices, strict=True)]

    def _one(self, memory: Memory, slice_: Slice) -> Step:
        if (memory.model_id, memory.subject_id) != (MODEL_ID, slice_.subject_id):
            raise WrongModel("a memory of another model or subject was offered")
        if memory.cursor not in (BEGINNING, slice_.since):
            raise WrongModel("a slice that does not begin where its memory ends was offered")
        known = json.loads(memory.blob)
        known["origin"] = slice_.origin
        for kind, row in _rows(slice_):
            known["digest"][kind] = hashlib.blake2b(
                known["digest"].get(kind, "").encode() + row, digest_size=8
            ).hexdigest()
            known["rows"] += 1
        for code, value in zip(slice_.items.code.tolist(), slice_.items.value.tolist(), strict=True):
            if math.isfinite(value):
                known["values"][str(code)] = value
        return self._said(_packed(slice_.subject_id, slice_.now, known), known)

    def _said(self, memory: Memory, known: dict[str, Any]) -> Step:
        pressure = next((known["values"][key] for key in _PRESSURES if key in known["values"]), 90.0)
        trace = int.from_bytes(hashlib.blake2b(memory.blob, digest_size=4).digest(), "big") / 2**32
        return Step(
            memory=memory,
            score=(70.0 - pressure) / 4.0,
            quantiles=np.broadcast_to(
                np.float32(80 + trace) + np.arange(self._shape[2], dtype=np.float32), self._shape
            ),
            novelty=0.5,
            surprise=math.nan,
            reasons=(Reason(code=PRESSURE, value=pressure, age=None, weight=trace),),
        )


def policy(task: Task | None = None, **rules: Any) -> Policy:
    """A policy for the stand-in: its risk crosses the threshold of 0.5 where the pressure falls below 70 mmHg."""
    task = task or load_task("deterioration-8h")
    scores = np.linspace(-10, 10, 81)
    risk = 1 / (1 + np.exp(-scores))
    plain: dict[str, Any] = {
        "policy_id": "",
        "model_id": MODEL_ID,
        "task": task,
        "calibration_scores": scores,
        "calibration_p0": risk,
        "calibration_p1": risk,
        "band_margin": np.ones((len(task.vitals), len(task.horizons))),
        "novelty_scores": np.linspace(0, 1, 100),
        "novelty_alpha": 0.02,
        "threshold": 0.5,
        "clear_below": 0.3,
        "clear_after": 30 * MINUTE,
        "silence": 1 * HOUR,
        "vitals_max_age": 2 * HOUR,
        "expire_after": 2 * HOUR,
        "recipients": ("charge-nurse", "physician"),
    }
    return seal(Policy(**plain | rules))


# the charted pressure, then those of monitors that stand for it
_PRESSURES = [str(code.id) for code in codes() if code.code == PRESSURE] + [
    str(code.id) for code in codes() if code.parent == PRESSURE
]


def _rows(slice_: Slice) -> Iterator[tuple[str, bytes]]:
    """(kind, bytes) of each arrival, in order within its kind."""
    for kind, part in (("items", slice_.items), ("patches", slice_.patches), ("pictures", slice_.pictures)):
        columns = [np.ascontiguousarray(getattr(part, name)) for name in part.__dataclass_fields__]
        for place in range(len(columns[0])):
            yield kind, b"".join(column[place].tobytes() for column in columns)


def _packed(subject_id: int, cursor: int, known: dict[str, Any]) -> Memory:
    blob = json.dumps(known, sort_keys=True, separators=(",", ":")).encode()
    return Memory(subject_id=subject_id, model_id=MODEL_ID, cursor=cursor, blob=blob)
