"""The live loop: a tick at every cadence of the ward clock, missed ones made up for, a heartbeat that the page shows.

The heartbeat comes from the loop itself, not from a thread beside it: a loop that hangs must not look alive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clinical_jepa.monitor.clock import WardClock
from clinical_jepa.monitor.stopping import Stop
from clinical_jepa.monitor.tick import tick
from clinical_jepa.monitor.ward import Ward
from clinical_jepa.records.ward import TickReport
from clinical_jepa.store.locks import writer_lock

LOOP = "watch"


@dataclass(frozen=True, kw_only=True)
class WatchConfig:
    """``heartbeat_s`` is wall time and must be well below what the page takes for dead."""

    heartbeat_s: float = 5.0
    most_at_once: int = 96  # ticks made up for between two looks at the clock


def due(last: int | None, now: int, cadence: int) -> range:
    """The instants on the cadence's grid in ``(last, now]``; before the first tick of a ledger, the newest one alone."""
    newest = now - now % cadence
    return range(newest if last is None else last - last % cadence + cadence, newest + 1, cadence)


def settle(ward: Ward) -> None:
    """Takes in all that was received up to now: whoever was writing has committed, and a later commit carries a later
    time, so that the next tick reads what a backtest of this store will read."""
    with writer_lock(ward.store.path):
        ward.store.reload()


def catch_up(ward: Ward, clock: WardClock, *, limit: int | None = None) -> list[TickReport]:
    """Does the ticks that are due and were not done, at most ``limit``, with a heartbeat after each."""
    last = ward.ledger.last_tick()
    reports = []
    for instant in due(last[0] if last else None, clock.now(), ward.policy.task.cadence)[:limit]:
        settle(ward)
        reports.append(tick(ward, instant))
        beat(ward, clock)
    return reports


def beat(ward: Ward, clock: WardClock) -> None:
    """A sign of life, by wall time and by the ward clock."""
    ward.ledger.heartbeat(LOOP, clock.wall(), clock.now())


def watch(
    ward: Ward,
    clock: WardClock,
    *,
    stop: Stop,
    config: WatchConfig | None = None,
    ticks: int = 0,
    tell: Callable[[TickReport], None] = lambda _: None,
) -> int:
    """Runs until ``stop`` is asked for, or ``ticks`` were done (0: no end); how many were.

    Whenever it ends, between ticks or by a kill inside one, the ledger is valid and the next start goes on from there.
    """
    config = config or WatchConfig()
    done = 0
    while not stop.is_set():
        beat(ward, clock)
        left = config.most_at_once if not ticks else min(ticks - done, config.most_at_once)
        for report in catch_up(ward, clock, limit=left):
            tell(report)
            done += not report.already_done
        if ticks and done >= ticks:
            break
        stop.wait(min(config.heartbeat_s, _until_next(ward, clock)))
    return done


def _until_next(ward: Ward, clock: WardClock) -> float:
    cadence = ward.policy.task.cadence
    now = clock.now()
    return max(0.01, clock.wall_seconds_until(now - now % cadence + cadence))
