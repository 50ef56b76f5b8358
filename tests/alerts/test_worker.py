"""The relay: at least once, nobody held up, nothing stale sent, and light."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from clinical_jepa.alerts.worker import RelayConfig, Relayed, relay, retry_at, run
from clinical_jepa.records.alerts import Message
from clinical_jepa.records.instant import MINUTE, SECOND
from clinical_jepa.store import crash_points
from tests.alerts.cases import T0
from tests.alerts.outbox import MemoryOutbox, message


def test_all_that_is_due_is_delivered_in_one_pass_and_once() -> None:
    outbox, got = MemoryOutbox([message(str(n)) for n in range(45)]), []
    assert relay(outbox, lambda one: got.append(one.key), clock=lambda: T0) == Relayed(delivered=45)
    assert relay(outbox, lambda one: got.append(one.key), clock=lambda: T0) == Relayed()
    assert got == [str(n) for n in range(45)]


def test_a_message_that_fails_holds_up_nobody_and_is_tried_again_later() -> None:
    outbox, got = MemoryOutbox([message("poison"), message("fine")]), []

    def deliver(one: Message) -> None:
        if one.key == "poison" and not outbox.entries["poison"].errors:
            raise ConnectionError("Bed 7 is in the text of this error")
        got.append(one.key)

    assert relay(outbox, deliver, clock=lambda: T0) == Relayed(delivered=1, failed=1)
    assert got == ["fine"]
    assert outbox.entries["poison"].errors == ["ConnectionError"]
    assert relay(outbox, deliver, clock=lambda: T0 + SECOND) == Relayed()
    assert relay(outbox, deliver, clock=lambda: T0 + 5 * SECOND) == Relayed(delivered=1)


def test_one_pass_ends_though_its_clock_runs_faster_than_the_receiver_fails() -> None:
    outbox, now = MemoryOutbox([message(str(n)) for n in range(6)]), [T0]

    def deliver(one: Message) -> None:
        now[0] += 10 * MINUTE
        raise TimeoutError

    assert relay(outbox, deliver, clock=lambda: now[0]) == Relayed(failed=6)


def test_waits_double_up_to_a_limit_and_need_no_memory_of_the_worker() -> None:
    config = RelayConfig()
    one, waits, now = message("m"), [], T0
    for _ in range(9):
        following = retry_at(one, now, config)
        waits.append((following - now) // SECOND)
        now = following
    assert waits == [5, 5, 10, 20, 40, 80, 160, 300, 300]


def test_what_is_no_longer_valid_is_not_sent_but_marked() -> None:
    outbox, got = MemoryOutbox([message("late", age=2 * MINUTE, valid=MINUTE), message("now")]), []
    assert relay(outbox, lambda one: got.append(one.key), clock=lambda: T0) == Relayed(delivered=1, expired=1)
    assert got == ["now"]
    assert outbox.entries["late"].state == "expired"


def test_a_message_is_valid_up_to_and_including_its_last_instant() -> None:
    outbox = MemoryOutbox([message("edge", valid=MINUTE)])
    assert relay(outbox, lambda one: None, clock=lambda: T0 + MINUTE) == Relayed(delivered=1)


@pytest.mark.parametrize(
    ("point", "sends"), [("relay.after-lease", 1), ("relay.after-delivery", 2), ("relay.after-mark", 1)]
)
def test_a_worker_that_dies_anywhere_loses_nothing(point: str, sends: int) -> None:
    """Only between delivery and mark is it sent twice, under the same key."""
    outbox, got = MemoryOutbox([message("m")]), []

    class Killed(BaseException):
        pass

    def die(name: str) -> None:
        if name == point:
            raise Killed

    crash_points.install(die)
    try:
        with pytest.raises(Killed):
            relay(outbox, lambda one: got.append(one.key), clock=lambda: T0)
    finally:
        crash_points.install(None)
    relay(outbox, lambda one: got.append(one.key), clock=lambda: T0 + 121 * SECOND)
    assert got == ["m"] * sends
    assert outbox.entries["m"].state == "delivered"


def test_the_loop_ends_when_asked_and_tells_of_each_pass() -> None:
    outbox, told, stop = MemoryOutbox([message("m")]), [], threading.Event()

    def after(done: Relayed) -> None:
        told.append(done.delivered)
        if len(told) == 2:
            stop.set()

    total = run(outbox, lambda one: None, clock=lambda: T0, stop=stop, config=RelayConfig(pause_s=0.01), after=after)
    assert (told, total) == ([1, 0], Relayed(delivered=1))


def test_the_worker_starts_without_tensors_tables_and_flows() -> None:
    program = "import sys, clinical_jepa.alerts.worker; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"torch", "polars", "pyarrow", "pandas", "prefect", "scipy", "sqlalchemy", "fastapi"}
    assert set(done.stdout.split()) & heavy == set()
