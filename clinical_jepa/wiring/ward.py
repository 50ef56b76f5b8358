"""Ticks of these settings: one, the live loop, what was missed, and the same over history."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import iso
from clinical_jepa.wiring import compose
from clinical_jepa.wiring.settings import Settings

if TYPE_CHECKING:
    from clinical_jepa.monitor.backtest import BacktestReport

_EVER = 2**62  # later than any instant

_HELD_OUT = ("patients", "events", "caught", "recall", "alerts", "alerts_per_patient_day", "median_lead_h")

Progress = Callable[[int, int], None]


def tick(settings: Settings) -> dict[str, Any]:
    """The tick that is due by the ward clock; a second time it does nothing and says so."""
    from clinical_jepa.monitor.tick import tick as once

    now = compose.clock(settings).now()
    return asdict(once(compose.ward(settings), now - now % compose.task(settings).cadence))


def watch(settings: Settings, *, ticks: int, tell: compose.Tell) -> None:
    """The live loop, until SIGTERM or Ctrl-C, or for a number of ticks."""
    from clinical_jepa.monitor.stopping import stopping
    from clinical_jepa.monitor.watch import watch as run
    from clinical_jepa.records.ward import TickReport

    def line(report: TickReport) -> None:
        tell(
            f"{iso(report.now)}: {report.patients} patients, {report.arrivals} arrivals, {report.forecasts} forecasts, "
            f"{report.abstentions} abstentions, {report.transitions} transitions, {report.replayed} replayed"
        )

    ward, clock = compose.ward(settings), compose.clock(settings)
    tell(f"watching on {clock.description}; Ctrl-C ends it after the tick under way")
    with stopping() as stop:
        done = run(ward, clock, stop=stop, ticks=ticks, tell=line)
    tell(f"stopped after {done} ticks; the ledger is complete up to the last one")


def catch_up(settings: Settings) -> dict[str, Any]:
    """How old the loop's newest tick and heartbeat were, and the ticks that were due and are done now."""
    from clinical_jepa.monitor.watch import LOOP
    from clinical_jepa.monitor.watch import catch_up as make_up

    ward, clock = compose.ward(settings), compose.clock(settings)
    last, beat = ward.ledger.last_tick(), ward.ledger.heartbeats().get(LOOP)
    silent_s = None if beat is None else round((time.time_ns() // 1000 - beat.wall) / 1e6)
    reports = make_up(ward, clock)
    return {
        "last_tick_before": iso(last[0]) if last else None,
        "loop_silent_s": silent_s,
        "ticks_made_up": len(reports),
        "last_tick": iso(reports[-1].now) if reports else iso(last[0]) if last else None,
        "patients": reports[-1].patients if reports else None,
        "clock": clock.description,
    }


@dataclass(frozen=True, kw_only=True)
class Backtested:
    """A backtest with its counts: over all subjects, and over those nothing was fitted on."""

    report: BacktestReport
    burden: dict[str, Any]
    burden_all: dict[str, Any]

    @staticmethod
    def of(
        settings: Settings, *, start: str | None = None, end: str | None = None, progress: Progress | None = None
    ) -> Backtested:
        """The live path over history (default: all that is stored)."""
        from clinical_jepa.evaluate.burden import burden
        from clinical_jepa.monitor.backtest import backtest as run
        from clinical_jepa.training.splits import split

        ward = compose.ward(settings)
        reach, cadence = ward.store.extents(_EVER), ward.policy.task.cadence
        if not reach:
            raise BadRequest(f"the store at {settings.paths.store} holds nothing to go over; ingest something first")
        first = compose.instant(start) if start else min(begin for begin, _ in reach.values())
        last = compose.instant(end) if end else max(finish for _, finish in reach.values())
        report = run(ward, first - first % cadence + cadence, last, cadence, progress=progress)
        held_out = frozenset(split(reach).test)
        return Backtested(
            report=report,
            burden=burden(report, ward.store, ward.policy, subjects=held_out),
            burden_all=burden(report, ward.store, ward.policy),
        )


def backtest(
    settings: Settings, *, start: str | None = None, end: str | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Alerts, burden and lead time of the live path over history; the held-out subjects' own figures beside."""
    done = Backtested.of(settings, start=start, end=end, progress=progress)
    held_out = {f"held_out_{key}": value for key, value in done.burden.items() if key in _HELD_OUT}
    return done.burden_all | held_out
