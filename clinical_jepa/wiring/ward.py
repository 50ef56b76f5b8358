"""Ticks of these settings: one, the live loop, what was missed, and the same over history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import END, iso
from clinical_jepa.wiring import compose
from clinical_jepa.wiring.settings import Settings

if TYPE_CHECKING:
    from clinical_jepa.forecast.alert_counting import Burden, Watch
    from clinical_jepa.monitor.backtest import BacktestReport
    from clinical_jepa.records.forecasts import Policy
    from clinical_jepa.store.events import Store


Progress = Callable[[int, int], None]


def tick(settings: Settings) -> dict[str, Any]:
    """The tick that is due by the ward clock; a second time it does nothing and says so."""
    from clinical_jepa.monitor.tick import tick as once
    from clinical_jepa.monitor.watch import settle

    system, now = compose.ward(settings), compose.clock(settings).now()
    settle(system)
    return asdict(once(system, now - now % system.policy.task.cadence))


def readable(report: dict[str, Any]) -> dict[str, Any]:
    """The same report with its instant as a person reads it."""
    return report | {"now": iso(report["now"])}


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
    silent_s = None if beat is None else round((clock.wall() - beat.wall) / 1e6)
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
    """A backtest counted: ``watches`` by subject, ``test`` those that nothing was fitted on."""

    report: BacktestReport
    policy: Policy
    watches: Mapping[int, Watch]
    test: frozenset[int]

    @property
    def everyone(self) -> Burden:
        """Alerts and events of all subjects."""
        return self._count(self.watches.values())

    @property
    def held_out(self) -> Burden:
        """Those of subjects that nothing was fitted on."""
        return self._count(watch for subject, watch in self.watches.items() if subject in self.test)

    def _count(self, watches: Iterable[Watch]) -> Burden:
        from clinical_jepa.forecast.alert_counting import count

        return count(watches, horizon=self.policy.task.horizon, spacing=self.policy.task.cadence)


def backtested(
    settings: Settings, *, start: str | None = None, end: str | None = None, progress: Progress | None = None
) -> Backtested:
    """The live path over history (default: all that is stored)."""
    from clinical_jepa.evaluate.burden import watches
    from clinical_jepa.monitor.backtest import backtest as run
    from clinical_jepa.training.splits import split

    ward = compose.ward(settings)
    reach, cadence = ward.store.extents(END), ward.policy.task.cadence
    if not reach:
        raise BadRequest(f"the store at {settings.paths.store} holds nothing to go over; ingest something first")
    begins, ends = stretch(ward.store)
    first = compose.instant(start) if start else begins
    last = compose.instant(end) if end else ends
    report = run(ward, first - first % cadence + cadence, last, cadence, progress=progress)
    return Backtested(
        report=report,
        policy=ward.policy,
        watches=watches(report, ward.store, ward.policy),
        test=frozenset(split(reach).test),
    )


def stretch(store: Store) -> tuple[int, int]:
    """First and newest arrival of all subjects but those on a relative clock, whose 1970 was never; else of these."""
    from clinical_jepa.sources import relative

    reach, apart = store.extents(END), relative.subjects(store.identities())
    known = [times for subject, times in reach.items() if subject not in apart] or list(reach.values())
    return min(first for first, _ in known), max(last for _, last in known)


def backtest(
    settings: Settings, *, start: str | None = None, end: str | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Alerts, burden and lead time of the live path over history; the held-out subjects' own figures beside."""
    from clinical_jepa.evaluate.burden import summary

    done = backtested(settings, start=start, end=end, progress=progress)
    held_out = {f"held_out_{key}": value for key, value in summary(done.held_out).items()}
    counts = {
        "ticks": len(done.report.ticks),
        "forecasts": done.report.forecasts,
        "abstentions": done.report.abstentions,
        "replayed": done.report.replayed,
        "threshold": done.policy.threshold,
    }
    return counts | summary(done.everyone) | held_out
