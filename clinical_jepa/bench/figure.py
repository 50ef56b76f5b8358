"""One measured ratio and the limit it is held to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """``ratio`` is to be at least ``limit``, or at most where ``at_least`` is false; ``detail`` says what was compared."""

    name: str
    ratio: float
    limit: float
    at_least: bool
    detail: str

    @property
    def met(self) -> bool:
        """Whether the ratio keeps its limit."""
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit
