"""The sizes of a model; written into its checkpoint and never read from anywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from clinical_jepa.vocabulary.codes import code_count


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """``tiny`` is the default. ``width`` is a multiple of 16, so that no vector loop has a ragged end (serving.py)."""

    codes: int = field(default_factory=code_count)
    texts: int = 63  # 0 is "no text"
    width: int = 64  # of every embedding and of z
    heads: int = 4  # of the fast weights
    key: int = 16  # d_k of one head
    value: int = 16  # d_v of one head
    facts: int = 32  # slots of F
    reads: int = 4  # learned reads of S
    queries: int = 4  # learned queries that make z
    horizons_h: tuple[float, ...] = (0.5, 1.0, 4.0, 8.0, 12.0, 24.0)
    half_lives_h: tuple[float, ...] = (0.25, 336.0)  # shortest and longest of S at initialisation


def from_json(content: Mapping[str, Any]) -> ModelConfig:
    """The configuration of a checkpoint; unknown or missing keys are a ``TypeError`` or keep their defaults."""
    known = {item.name for item in fields(ModelConfig)}
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
    if unknown := set(values) - known:
        raise TypeError(f"unknown keys {sorted(unknown)}")
    return ModelConfig(**values)
