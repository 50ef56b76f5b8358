"""Kill the tick and the relay, for real and often, and count at the receivers: nothing lost, nothing doubled.

The independent count is a backtest of the same store that was never killed. Whoever was killed is started again and goes
on; at the end ledger and receivers must hold exactly what the backtest holds. The same harness with a planted bug, outbox
rows written outside the tick's transaction, must fail.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clinical_jepa.evaluate.checks.crash_ward import CADENCE, ward
from clinical_jepa.evaluate.checks.script import START, batch, random_ward
from clinical_jepa.monitor.backtest import BacktestReport, backtest
from clinical_jepa.monitor.clock import wall_us
from clinical_jepa.records.instant import HOUR
from clinical_jepa.store.events import Store
from clinical_jepa.store.ledger import Ledger

TICK_POINTS = (
    "tick.before-step",
    "tick.before-commit",
    "commit.begun",
    "commit.after-memories",
    "commit.after-transitions",
    "commit.before-commit",
    "commit.done",
)
RELAY_POINTS = ("relay.after-lease", "relay.after-delivery", "relay.after-mark")
_SUBJECTS = 6
_WAIT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run with kills left behind, against the count of the backtest."""

    kills: int
    points: dict[str, int]  # how often each named point was met; "random" for moments
    expected: int
    received: int
    lost: int
    doubled: int
    unexpected: int
    posts: int  # raw: repeats of a key that the receiver already had are at-least-once at work
    same_ledger: bool

    @property
    def passed(self) -> bool:
        """Nothing lost, doubled or made up, and the ledger is that of a run without kills."""
        return not (self.lost or self.doubled or self.unexpected) and self.same_ledger and self.expected > 0


@dataclass(frozen=True, kw_only=True)
class CrashReport:
    """The run, and the same with the planted bug."""

    wanted: int  # kills that were asked for; fewer are no answer
    real: Outcome
    planted: Outcome

    @property
    def passed(self) -> bool:
        """The program survived as many kills as wanted, and the harness would have seen it if it had not."""
        return self.real.passed and self.real.kills >= max(1, self.wanted) and self.planted.lost > 0

    @property
    def figure(self) -> str:
        """One line for a person."""
        one = self.real
        caught = "caught" if self.planted.lost else "NOT caught"
        return (
            f"crash: {one.kills} of {self.wanted} kills, {one.received} of {one.expected} messages at the receivers, "
            f"{one.lost} lost, {one.doubled} doubled ({one.posts} posts), "
            f"ledger {'as' if one.same_ledger else 'NOT as'} without kills; planted bug {caught} ({self.planted.lost} lost)"
        )


def check_crash(
    kills: int = 50, seed: int = 7, *, work: Path | None = None, tell: Callable[[str], None] = lambda _: None
) -> CrashReport:
    """``kills`` kills spread over tick and relay, named points and random moments; then few with the planted bug."""
    folder = Path(tempfile.mkdtemp(prefix="check-crash-", dir=work))
    try:
        real = _Trial(folder / "real", kills, seed, planted=False, tell=tell).run()
        tell("the same with outbox rows written outside the transaction")
        planted = _Trial(folder / "planted", max(4, min(kills, 8)), seed, planted=True, tell=tell).run()
        return CrashReport(wanted=kills, real=real, planted=planted)
    finally:
        shutil.rmtree(folder)


class _Trial:
    """One store, one receiver, and the processes that die on the way from its first tick to its last message."""

    def __init__(self, folder: Path, kills: int, seed: int, *, planted: bool, tell: Callable[[str], None]) -> None:
        self.folder, self.kills, self.planted, self.tell = folder, kills, planted, tell
        self.chance = np.random.default_rng(seed)
        self.points: Counter[str] = Counter()
        self.pace = {"tick": 0.3, "relay": 0.3}  # seconds of work after the handshake, learned as it goes
        self.anchor = wall_us()
        hours = 8 + kills
        store = Store.open(folder / "store", create=True)
        lines = batch(random_ward(_SUBJECTS, hours, seed))
        store.append([lines], mode="history", now=START, prepare=_no_pictures)
        self.start, self.until = START + 3 * HOUR, START + hours * HOUR
        self.truth = backtest(ward(folder, Ledger.open(":memory:")), self.start, self.until, CADENCE)
        self.busy = sorted({row.created_at for row in self.truth.ledger.messages()})
        self.ledger = Ledger.open(folder / "ledger.sqlite")
        self.url = ""

    def run(self) -> Outcome:
        with _receiver() as self.url:
            while sum(self.points.values()) < self.kills:
                self._kill_one()
                if sum(self.points.values()) % 10 == 0:
                    self.tell(f"{sum(self.points.values())} of {self.kills} kills")
            self._spawn("tick", self.until)
            self._spawn("relay", self.until)
            return self._counted(self.truth)

    def _kill_one(self) -> None:
        waiting = any(row.delivered_at is None for row in self.ledger.messages())
        role = "relay" if waiting and not self.planted and self.chance.random() < 0.5 else "tick"
        target = self._next_busy()
        if role == "relay":
            target = self.until
        if self.planted:
            point: str | None = "commit.done"
        elif self.chance.random() < 0.6:
            point = self._rarest(TICK_POINTS if role == "tick" else RELAY_POINTS)
        else:
            point = None
        if self._spawn(role, target, point, random=point is None):
            self.points[point or "random"] += 1

    def _rarest(self, points: tuple[str, ...]) -> str:
        least = min(self.points[point] for point in points)
        return str(self.chance.choice([point for point in points if self.points[point] == least]))

    def _next_busy(self) -> int:
        """The next tick that sends something: where a kill can do most harm."""
        last = self.ledger.last_tick()
        ahead = [now for now in self.busy if last is None or now > last[0]]
        if not ahead:
            raise RuntimeError("the script has no messages left to kill for; give it more hours")
        return ahead[0]

    def _spawn(self, role: str, until: int, point: str | None = None, *, random: bool = False) -> bool:
        """Runs one process to its end or its kill; whether it was killed."""
        last = self.ledger.last_tick()
        first = last[0] + CADENCE if last else self.start
        visit = (until - first) // CADENCE + 1 if role == "tick" else 1
        order = {
            "role": role, "folder": str(self.folder), "start": self.start, "until": until, "point": point, "visit": visit,
            "planted": self.planted, "url": self.url, "anchor": self.anchor,
        }  # fmt: skip
        child = _start(order)
        assert child.stdout is not None
        if child.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the {role} did not start")
        began = time.monotonic()
        if random:
            time.sleep(float(self.chance.uniform(0, self.pace[role])))
            child.kill()
        code = child.wait(timeout=_WAIT_S)
        if code == 0:
            self.pace[role] = 0.5 * self.pace[role] + 0.5 * (time.monotonic() - began)
        elif code != -9:
            raise RuntimeError(f"the {role} ended with status {code}, which nobody asked for")
        return code == -9

    def _counted(self, truth: BacktestReport) -> Outcome:
        import httpx

        from clinical_jepa.alerts.delivery.file import read

        answer = httpx.get(self.url, trust_env=False).json()
        got = [*answer["accepted"], *read(self.folder / "delivered.ndjson")]
        keys = Counter(str(one["key"]) for one in got)
        acts = Counter((one["alert_id"], one["state"], one["recipient"]) for one in got)
        expected = {row.key for row in truth.ledger.messages()}
        return Outcome(
            kills=sum(self.points.values()),
            points=dict(self.points),
            expected=len(expected),
            received=len(keys),
            lost=len(expected - set(keys)),
            doubled=sum(acts.values()) - len(acts),
            unexpected=len(set(keys) - expected),
            posts=int(answer["posts"]),
            same_ledger=self.ledger.dump() == truth.ledger.dump(),
        )


@contextmanager
def _receiver() -> Iterator[str]:
    child = _start({"role": "receiver"})
    assert child.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(child.stdout.readline())}/alerts"
    finally:
        child.kill()
        child.wait()


def _start(order: dict[str, Any]) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "clinical_jepa.evaluate.checks.crash_child", json.dumps(order)]
    return subprocess.Popen(program, stdout=subprocess.PIPE, text=True)


def _no_pictures(pixels: np.ndarray, spacing: tuple[float, float] | None) -> np.ndarray:
    raise AssertionError("this ward has no pictures")
