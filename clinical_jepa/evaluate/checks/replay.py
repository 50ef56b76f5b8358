"""Replay equals live: however rows came, memory, forecasts, transitions and messages are byte for byte those of a backtest.

*History*: a fresh process for every tick ingests what became available since the last one, shuffled in order and
batching. *Live*: rows are received at odd moments of a ward clock, and what that store was told then is played back.
Corrections after an alert, and people's answers, are part of both.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from clinical_jepa.evaluate.checks.raw import Raw, available, prepared, raw
from clinical_jepa.evaluate.checks.replay_child import shuffled
from clinical_jepa.evaluate.checks.script import START, batch, random_ward
from clinical_jepa.evaluate.checks.subject import ward
from clinical_jepa.monitor.backtest import BacktestReport, backtest
from clinical_jepa.monitor.tick import tick
from clinical_jepa.records.alerts import Acknowledgement, AlertState
from clinical_jepa.records.events import REVISING
from clinical_jepa.records.forecasts import Forecast
from clinical_jepa.records.instant import BEGINNING, HOUR, MINUTE
from clinical_jepa.store.events import Store
from clinical_jepa.store.ledger import Ledger

_ANSWER_AFTER = 5 * MINUTE


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One ward run twice. ``differs`` names the parts of the ledgers that are not byte-identical."""

    name: str
    kind: str  # history or live
    ticks: int
    subjects: int
    forecasts: int
    transitions: int
    messages: int
    answers: int
    corrected_after_alert: int  # (subject, tick) pairs whose past changed while or after it had an alert
    differs: tuple[str, ...]

    @property
    def line(self) -> str:
        """For a person."""
        said = f"differs in {', '.join(self.differs)}" if self.differs else "byte-identical"
        counted = (
            f"{self.ticks} ticks, {self.subjects} subjects, {self.forecasts} forecasts, {self.transitions} transitions"
        )
        told = f"{self.messages} messages, {self.answers} answers"
        corrected = f"{self.corrected_after_alert} corrections after an alert"
        return f"{self.name} as {self.kind}: {counted}, {told}, {corrected}: {said}"


@dataclass(frozen=True, kw_only=True)
class ReplayReport:
    """All trials."""

    trials: tuple[Trial, ...]

    @property
    def passed(self) -> bool:
        """Nothing differs, and there was something to differ in."""
        told = {one.kind for one in self.trials if one.messages and one.corrected_after_alert and one.answers}
        return told == {one.kind for one in self.trials} and not any(one.differs for one in self.trials)

    @property
    def figure(self) -> str:
        """One line for a person."""
        wrong = [f"{one.name} as {one.kind}" for one in self.trials if one.differs]
        rest = f"differing: {', '.join(wrong)}" if wrong else "all byte-identical to the backtest"
        corrected = sum(one.corrected_after_alert for one in self.trials)
        ticks = sum(one.ticks for one in self.trials)
        return f"replay: {len(self.trials)} trials, {ticks} ticks, {corrected} corrections after an alert, {rest}"


def check_replay(
    store: Path | None = None,
    model: Path | None = None,
    *,
    ticks: int = 12,
    seed: int = 7,
    work: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> ReplayReport:
    """A scripted ward under the stand-in, and, where they are given, a store and a model; each as history and live."""
    folder = Path(tempfile.mkdtemp(prefix="check-replay-", dir=work))
    try:
        scripted = _scripted(folder / "scripted", ticks, seed)
        cases: list[tuple[str, Store, Path | None]] = [("script", scripted, None)]
        if store is not None:
            cases.append(("ward", Store.open(store), model))
        trials = []
        for name, source, judged in cases:
            for kind, run in (("history", _history), ("live", _live)):
                trial = run(_Case.of(name, kind, source, judged, ticks, seed), folder / f"{name}-{kind}")
                tell(trial.line)
                trials.append(trial)
        return ReplayReport(trials=tuple(trials))
    finally:
        shutil.rmtree(folder)


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A store, who judges it, and when. ``threshold`` is low enough for alerts to be there, whatever was fitted."""

    name: str
    kind: str
    source: Store
    model: Path | None
    rows: Raw
    instants: tuple[int, ...]
    threshold: float
    seed: int

    @staticmethod
    def of(name: str, kind: str, source: Store, model: Path | None, ticks: int, seed: int) -> _Case:
        rows = raw(source)
        made = ward(source, model)
        instants = window(rows, ticks, made.policy.task.cadence)
        first = backtest(made, instants[0], instants[-1], made.policy.task.cadence)
        risks = [one.risk for one in first.ledger.outcomes() if isinstance(one, Forecast)]
        usual = float(np.quantile(risks, 0.6)) if risks else made.policy.threshold
        threshold = min(made.policy.threshold, usual) if model is not None else made.policy.threshold
        return _Case(
            name=name,
            kind=kind,
            source=source,
            model=model,
            rows=rows,
            instants=instants,
            threshold=threshold,
            seed=seed,
        )

    def backtest(self, source: Store, answers: Iterable[Acknowledgement] = ()) -> BacktestReport:
        made = ward(source, self.model, threshold=self.threshold)
        cadence = made.policy.task.cadence
        return backtest(made, self.instants[0], self.instants[-1], cadence, acknowledgements=answers)

    def trial(self, source: Store, one: Ledger, other: Ledger) -> Trial:
        left, right = one.dump(), other.dump()
        return Trial(
            name=self.name,
            kind=self.kind,
            ticks=len(self.instants),
            subjects=len(right["memory"]),
            forecasts=len(right["forecasts"]),
            transitions=len(right["transitions"]),
            messages=len(right["messages"]),
            answers=sum(applied is not None for _, applied in other.answered()),
            corrected_after_alert=_corrected(source, other, self.instants),
            differs=tuple(part for part in right if left[part] != right[part]),
        )


def window(rows: Raw, ticks: int, cadence: int) -> tuple[int, ...]:
    """So many instants on the cadence's grid, laid where the second half of them sees the most corrections."""
    known = available(rows.tables["events"])
    first = int(known.min()) // cadence * cadence + 3 * HOUR
    last = max(first, int(known.max()) // cadence * cadence - (ticks - 1) * cadence)
    status = np.array(rows.tables["events"]["status"].to_pylist())
    corrected = np.sort(known[np.isin(status, REVISING)])
    starts = np.arange(first, last + 1, cadence)
    begin = np.searchsorted(corrected, starts + ticks // 2 * cadence)
    best = int(starts[np.argmax(np.searchsorted(corrected, starts + (ticks - 1) * cadence) - begin)])
    return tuple(best + number * cadence for number in range(ticks))


def _history(case: _Case, folder: Path) -> Trial:
    """A fresh process for each tick."""
    expected = case.backtest(case.source)
    answers = _answers(expected.ledger, case.instants)
    expected = case.backtest(case.source, answers)
    folder.mkdir()
    for number, until in enumerate(case.instants):
        since = case.instants[number - 1] if number else BEGINNING
        order = {
            "source": str(case.source.path),
            "folder": str(folder),
            "model": None if case.model is None else str(case.model),
            "since": since,
            "until": until,
            "seed": [case.seed, number],
            "threshold": case.threshold,
            "answers": [asdict(one) for one in answers if since < one.at <= until],
        }
        program = [sys.executable, "-m", "clinical_jepa.evaluate.checks.replay_child", json.dumps(order)]
        subprocess.run(program, check=True)
    return case.trial(case.source, Ledger.open(folder / "ledger.sqlite"), expected.ledger)


def _live(case: _Case, folder: Path) -> Trial:
    """Rows received at odd moments of a ward clock; then a backtest of the store that they made."""
    store = Store.open(folder / "store", create=True)
    ledger = Ledger.open(folder / "ledger.sqlite")
    made = ward(store, case.model, ledger, threshold=case.threshold)
    ready, chance = prepared(case.rows), np.random.default_rng(case.seed)
    cadence = made.policy.task.cadence
    begin = int(available(case.rows.tables["events"]).min()) // cadence * cadence
    for until in range(begin + cadence, case.instants[-1] + 1, cadence):
        batches = list(shuffled(case.rows, until - cadence, until, chance))
        moments = np.sort(chance.integers(until - cadence + 1, until, len(batches)))
        for moment, one in zip(moments.tolist(), batches, strict=True):
            store.append([one], mode="live", now=int(moment), prepare=ready)
        if until in case.instants:
            tick(made, until)
            _answer_some(ledger, until + _ANSWER_AFTER, chance)
    again = case.backtest(Store.open(store.path), [answer for answer, _ in ledger.answered()])
    return case.trial(store, ledger, again.ledger)


def _answer_some(ledger: Ledger, at: int, chance: np.random.Generator) -> None:
    for alert in ledger.alerts(open_only=True):
        if alert.state is AlertState.RAISED and chance.random() < 0.5:
            ledger.acknowledge(Acknowledgement(alert_id=alert.alert_id, by="nurse", at=at))


def _answers(ledger: Ledger, instants: Sequence[int]) -> list[Acknowledgement]:
    """Every other alert is answered a little after it was raised."""
    alerts = [alert for alert in ledger.alerts() if alert.raised_at + _ANSWER_AFTER <= instants[-1]]
    return [Acknowledgement(alert_id=one.alert_id, by="nurse", at=one.raised_at + _ANSWER_AFTER) for one in alerts[::2]]


def _corrected(store: Store, ledger: Ledger, instants: Sequence[int]) -> int:
    """How many (subject, tick) pairs had their past changed after an alert of that subject was raised."""
    raised: dict[int, int] = {}
    for one in ledger.transitions():
        if one.after is AlertState.RAISED:
            raised[one.subject_id] = min(one.at, raised.get(one.subject_id, one.at))
    return sum(
        raised.get(subject, now) < now
        for since, now in pairwise(instants)
        for subject in store.arrivals(since, now).rewind
    )


def _scripted(folder: Path, ticks: int, seed: int) -> Store:
    """A ward whose pressures wander around the threshold, with late, corrected and withdrawn values."""
    store = Store.open(folder, create=True)
    lines = random_ward(6, 8 + ticks // 4, seed)
    store.append([batch(lines)], mode="history", now=START, prepare=lambda pixels, spacing: pixels)
    return store
