"""What turns a state into answers: a linear risk, quantiles of vitals, novelty, and the reasons of a risk.

All heads are linear in ``[z, register features]``: registers reach them by a direct path, so that a state never knows
less than they do. Plain arrays, fitted elsewhere (``training/fit.py``), evaluated here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

FILE = "heads.safetensors"
LIMIT = 10.0  # of a standardised input


@dataclass(frozen=True, kw_only=True)
class Heads:
    """D inputs named ``inputs`` ("z/0" …, then register names), V vitals, T horizons (µs), Q ascending quantiles.

    ``mean``, ``scale`` ``[D]`` standardise; ``risk_weight [D]``, ``risk_bias`` give log-odds;
    ``quantile_weight [V, T, Q, D]``, ``quantile_bias [V, T, Q]`` give offsets from the vital's newest value in its
    canonical unit. Novelty is relative Mahalanobis (Ren et al., 2021, arXiv:2106.09022): the squared distance of z from
    ``novelty_mean`` under ``novelty_precision`` minus that under ``background_*`` (zeros: plain Mahalanobis).
    Float arrays are float32.
    """

    task: str
    inputs: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    risk_weight: np.ndarray
    risk_bias: float
    vitals: tuple[str, ...]
    horizons: tuple[int, ...]
    quantiles: tuple[float, ...]
    quantile_weight: np.ndarray
    quantile_bias: np.ndarray
    novelty_mean: np.ndarray
    novelty_precision: np.ndarray
    background_mean: np.ndarray
    background_precision: np.ndarray


def standardise(heads: Heads, inputs: np.ndarray) -> np.ndarray:
    """Standardised inputs, float32 ``[N, D]`` within ±``LIMIT``; ``inputs`` are ``[z, registers]`` side by side."""
    x: np.ndarray = np.clip((inputs - heads.mean) / heads.scale, -LIMIT, LIMIT).astype(np.float32)
    return x


def score(heads: Heads, x: np.ndarray) -> np.ndarray:
    """Log-odds ``[N]`` of standardised inputs."""
    logit: np.ndarray = _each(x, heads.risk_weight[:, None])[:, 0] + np.float32(heads.risk_bias)
    return logit


def quantiles(heads: Heads, x: np.ndarray, newest: np.ndarray) -> np.ndarray:
    """Float32 ``[N, V, T, Q]``, ascending in Q, around ``newest [N, V]``; NaN where a vital was never measured."""
    flat = heads.quantile_weight.reshape(-1, x.shape[1])
    offsets = _each(x, flat.T).reshape(len(x), *heads.quantile_bias.shape) + heads.quantile_bias
    bands: np.ndarray = np.sort(newest[:, :, None, None] + offsets, axis=-1).astype(np.float32)
    return bands


def _each(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``x @ weight``, one row at a time: the bits of a product of all rows would depend on a row's place."""
    product: np.ndarray = (x[:, None] @ weight)[:, 0]
    return product


def novelty(heads: Heads, z: np.ndarray) -> np.ndarray:
    """Relative Mahalanobis distance ``[N]`` of z ``[N, d]``."""

    def squared(mean: np.ndarray, precision: np.ndarray) -> np.ndarray:
        delta = z - mean
        return np.asarray((_each(delta, precision)[:, None] @ delta[:, :, None])[:, 0, 0])

    near = squared(heads.novelty_mean, heads.novelty_precision)
    return np.asarray(near - squared(heads.background_mean, heads.background_precision))


def contributions(heads: Heads, x: np.ndarray) -> dict[str, np.ndarray]:
    """By code, how much its register features move the log-odds from those of an average patient, ``[N]`` each."""
    share = x * heads.risk_weight
    moved: dict[str, np.ndarray] = {}
    for place, name in enumerate(heads.inputs):
        code = name.rpartition("/")[0]
        if code not in ("", "z"):
            moved[code] = moved[code] + share[:, place] if code in moved else share[:, place]
    return moved


def save_heads(folder: Path, heads: Heads) -> None:
    """Writes ``heads.safetensors`` into a model folder: arrays, and the rest as its text header."""
    from safetensors.numpy import save_file

    content = {field.name: getattr(heads, field.name) for field in fields(heads)}
    arrays = {name: np.ascontiguousarray(x, np.float32) for name, x in content.items() if isinstance(x, np.ndarray)}
    text = json.dumps({name: value for name, value in content.items() if name not in arrays}, sort_keys=True)
    part = folder / (FILE + ".part")
    save_file(arrays, part, metadata={"heads": text})
    part.replace(folder / FILE)


def load_heads(folder: Path) -> Heads | None:
    """The heads of a model folder, or None where none were fitted."""
    from safetensors import safe_open

    path = folder / FILE
    if not path.is_file():
        return None
    with safe_open(path, framework="numpy") as file:
        text = json.loads(file.metadata()["heads"])
        content: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    content |= {name: tuple(x) if isinstance(x, list) else x for name, x in text.items()}
    return Heads(**content)


def summary(heads: Heads) -> dict[str, object]:
    """What a person wants to read of them, without the arrays."""
    return {name: value for name, value in asdict(heads).items() if not isinstance(value, np.ndarray)}
