"""One figure of a bench: a ratio, and the limit it is held to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """``ratio`` of ours to the peer's, held to ``limit`` from below (``at_least``) or from above."""

    name: str
    ratio: float
    limit: float
    at_least: bool
    detail: str

    @property
    def met(self) -> bool:
        """Whether the limit is kept."""
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit
