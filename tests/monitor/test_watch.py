"""The live loop: every due tick, once; a heartbeat; an end that leaves everything valid."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from clinical_jepa.evaluate.checks.script import admission, at, pressures
from clinical_jepa.monitor.clock import WardClock
from clinical_jepa.monitor.stopping import Stop, stopping
from clinical_jepa.monitor.watch import LOOP, WatchConfig, catch_up, due, watch
from clinical_jepa.records.instant import MINUTE
from clinical_jepa.store.events import Store
from clinical_jepa.store.locks import writer_lock
from tests.monitor.scenes import Scene

QUARTER = 15 * MINUTE


class Clock(WardClock):
    """A ward clock set by hand, in minutes of the script."""

    def __init__(self, minute: float) -> None:
        super().__init__(simulated=True)
        self.minute = minute

    def now(self) -> int:
        return at(self.minute)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene.open(tmp_path)
    scene.history([*admission(1), *pressures(1, [(minute, 80.0) for minute in range(1, 400, 10)])])
    return scene


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        (None, 187, [180]),
        (None, 180, [180]),
        (180, 194, []),
        (180, 195, [195]),
        (180, 226, [195, 210, 225]),
        (183, 200, [195]),
        (180, 170, []),
    ],
)
def test_due_ticks_lie_on_the_grid_after_the_last(last: int | None, now: int, expected: list[int]) -> None:
    found = due(None if last is None else at(last), at(now), QUARTER)
    assert list(found) == [at(minute) for minute in expected]


def test_missed_ticks_are_made_up_for_and_equal_those_done_in_time(scene: Scene, tmp_path: Path) -> None:
    clock = Clock(180)
    catch_up(scene.ward, clock)
    clock.minute = 241
    reports = catch_up(scene.ward, clock)
    assert [one.now for one in reports] == [at(minute) for minute in (195, 210, 225, 240)]
    other = Scene(ward=Scene.open(tmp_path / "other").ward)
    other.history([*admission(1), *pressures(1, [(minute, 80.0) for minute in range(1, 400, 10)])])
    other.ticks(180, 195, 210, 225, 240)
    assert scene.ward.ledger.dump() == other.ward.ledger.dump()


def test_what_others_commit_while_it_runs_is_seen(scene: Scene) -> None:
    catch_up(scene.ward, Clock(180))
    writer = Store.open(scene.ward.store.path)
    Scene(ward=Scene.open(scene.ward.store.path.parent).ward).history(pressures(1, [(181, 60.5)]))
    assert writer.watermark == 1
    catch_up(scene.ward, Clock(195))
    assert scene.ward.ledger.last_tick() == (at(195), 2)


def test_a_tick_waits_for_whoever_is_committing(scene: Scene) -> None:
    """Else a row stamped before the tick could be committed after it, and a backtest would know more than was known."""
    done = threading.Event()

    def run() -> None:
        catch_up(scene.ward, Clock(180))
        done.set()

    with writer_lock(scene.ward.store.path):
        threading.Thread(target=run, daemon=True).start()
        assert not done.wait(0.3)
    assert done.wait(60)


def test_it_ends_after_so_many_ticks_and_leaves_its_sign_of_life(scene: Scene) -> None:
    clock, told = Clock(180), []
    scene.tick(120)
    assert watch(scene.ward, clock, stop=Stop(), ticks=3, tell=told.append) == 3
    assert [one.now for one in told] == [at(135), at(150), at(165)]
    assert scene.ward.ledger.heartbeats()[LOOP].ward_now == at(180)


def test_it_beats_while_nothing_is_due_and_ends_when_asked(scene: Scene) -> None:
    clock, stop = Clock(181), Stop()
    scene.tick(180)
    beats: list[int] = []

    def later() -> None:
        deadline = time.monotonic() + 60
        while len(set(beats)) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
            found = scene.ward.ledger.heartbeats().get(LOOP)
            beats.append(found.wall if found else 0)
        stop.set()

    threading.Thread(target=later, daemon=True).start()
    assert watch(scene.ward, clock, stop=stop, config=WatchConfig(heartbeat_s=0.05)) == 0
    assert len(set(beats)) >= 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_and_does_not_tear(number: signal.Signals) -> None:
    program = (
        "from clinical_jepa.monitor.stopping import stopping\n"
        "with stopping() as stop:\n"
        "    print('ready', flush=True)\n"
        "    stop.wait(30)\n"
        "    print('finished', stop.is_set(), flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(number)
    assert child.communicate(timeout=60)[0] == "finished True\n"
    assert child.returncode == 0


def test_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stopping():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
