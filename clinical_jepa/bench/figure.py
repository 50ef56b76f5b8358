"""One figure of a bench: a ratio and the limit it is held to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """``ratio`` meets ``limit`` from above (``at_least``) or from below; ``detail`` says what was measured."""

    name: str
    ratio: float
    limit: float
    at_least: bool
    detail: str

    @property
    def met(self) -> bool:
        """Whether the limit is kept."""
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit
