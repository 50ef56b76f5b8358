"""What if: predicted windows written back as arrivals of their own kind, so that the same memory rolls forward.

A *model simulation*, not a forecast of what a treatment would do: treatments in records are confounded by indication.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clinical_jepa.model import serving
from clinical_jepa.model.memory import registers
from clinical_jepa.model.memory.one_step import written
from clinical_jepa.model.network import GROUNDED, Model
from clinical_jepa.model.threads import one_thread
from clinical_jepa.records.instant import HOUR
from clinical_jepa.vocabulary.codes import by_code


@dataclass(frozen=True, kw_only=True)
class Action:
    """A treatment that starts ``after`` µs from now: ``value`` is its rate or dose in the code's canonical unit."""

    code: str
    value: float
    after: int


@dataclass(frozen=True, kw_only=True)
class Imagined:
    """S steps of one patient: ``time [S]`` µs of each window's end, ``z [S, width]``, and by code the mean, lowest and
    highest value expected in each window, float32 ``[S, 3]`` in the code's canonical unit."""

    time: np.ndarray
    z: np.ndarray
    values: Mapping[str, np.ndarray]


def imagine(
    model: Model, row: np.ndarray, actions: Sequence[Action] | None, *, steps: int, hours: float, codes: Sequence[str]
) -> Imagined:
    """``steps`` windows of ``hours`` each, from one record (``memory.state``) on; deterministic. Nothing is changed.

    ``actions`` None: the plan is unknown; empty: no treatment. Registers and facts only age: what is imagined reaches
    the state through S alone, so a known value is never overwritten by an imagined one.
    """
    rows, now = row.reshape(1).copy(), int(row["cursor"])
    ids = [by_code()[code].id for code in codes]
    center, scale = (x[ids] for x in (model.normaliser.center, model.normaliser.scale))
    times, states, values = [], [], []
    with one_thread(), torch.inference_mode():
        for step in range(steps):
            z = torch.from_numpy(_state(model, rows, now))
            hidden = model.network.predictor(z, _plan(model, actions, step, hours), torch.tensor([hours]))
            window = model.network.predictor.window(hidden)[:, 0]
            expected = model.network.values(hidden).view(GROUNDED, -1)[:, ids].numpy()
            now += int(hours * HOUR)
            _write(model, rows, window, now)
            times.append(now)
            states.append(z[0].numpy())
            values.append(np.clip(expected, -8, 8).T * scale[:, None] + center[:, None])
    trajectory = np.stack(values, axis=1).astype(np.float32)
    return Imagined(time=np.array(times), z=np.stack(states), values=dict(zip(codes, trajectory, strict=True)))


def _state(model: Model, rows: np.ndarray, now: int) -> np.ndarray:
    at = np.array([now])
    features = registers.features(
        rows["registers"],
        origin=rows["origin"],
        now=at,
        center=model.normaliser.center,
        scale=model.normaliser.scale,
    )
    return serving.state_vectors(model, rows, features, at)


def _plan(model: Model, actions: Sequence[Action] | None, step: int, hours: float) -> Tensor:
    """The treatments that start within this step's window, ``[1, 1, width]``."""
    predictor = model.network.predictor
    if actions is None:
        return predictor.unknown(1, 1)
    inside = [a for a in actions if step * hours < a.after / HOUR <= (step + 1) * hours]
    code = np.array([by_code()[a.code].id for a in inside], dtype=np.int64)
    z = torch.from_numpy(model.normaliser.z(code, np.array([a.value for a in inside], dtype=np.float64)))
    none = torch.zeros(len(inside))
    items = model.network.parts.records(torch.from_numpy(code), z, none.long(), none)
    offset = torch.tensor([a.after / HOUR - step * hours for a in inside])
    return predictor.actions(items, offset, none.long(), (1, 1))


def _write(model: Model, rows: np.ndarray, window: Tensor, now: int) -> None:
    """The predicted window arrives at ``now``, in place."""
    writes = model.network.write_window(window)
    past = (now - rows["last_event"]) / HOUR if rows["arrivals"][0] else np.zeros(1)
    g = writes.log_gate - torch.from_numpy(rows["rate"].copy()) * torch.from_numpy(past.astype(np.float32))[:, None]
    state = torch.from_numpy(rows["fast"].copy())
    fast = written(k=writes.k, v=writes.v, beta=writes.beta, g=g, state=state)
    rows["fast"], rows["rate"], rows["last_event"] = fast.numpy(), writes.rate.numpy(), now
    rows["arrivals"] += 1
