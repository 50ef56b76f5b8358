"""Ticks of these settings: one, the live loop, and what was missed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from clinical_jepa.wiring import compose
from clinical_jepa.wiring.settings import Settings


def due(settings: Settings, now: int) -> int:
    """The last instant at or before ``now`` at which the task asks its question."""
    return now - now % compose.task(settings).cadence


def tick(settings: Settings) -> dict[str, Any]:
    """The tick that is due by the ward clock; a second time it does nothing and says so."""
    from clinical_jepa.monitor.tick import tick as once

    return asdict(once(compose.ward(settings), due(settings, compose.clock(settings).now())))
