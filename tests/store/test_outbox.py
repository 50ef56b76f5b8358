"""Leases: a message is one worker's for a while, and never lost."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from clinical_jepa.records.instant import MINUTE, SECOND
from clinical_jepa.store.ledger import Ledger
from tests.store.ticks import T0, message, tick


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger.open(tmp_path / "l.sqlite")
    ledger.commit(tick(T0, messages=["a", "b", "c"]))
    return ledger


def test_a_leased_message_is_nobody_elses_until_the_lease_ends(ledger: Ledger) -> None:
    assert ledger.lease("one", T0, 60, 2) == [message("a"), message("b")]
    assert ledger.lease("two", T0, 60, 5) == [message("c")]
    assert ledger.lease("two", T0 + 60 * SECOND - 1, 60, 5) == []
    assert [m.key for m in ledger.lease("two", T0 + 60 * SECOND, 60, 5)] == ["a", "b", "c"]
    assert [(m.worker, m.attempts) for m in ledger.messages()] == [("two", 2)] * 3


def test_what_is_delivered_or_expired_is_never_leased_again(ledger: Ledger) -> None:
    ledger.lease("one", T0, 60, 5)
    ledger.delivered("a", T0 + 1)
    ledger.delivered("a", T0 + 9)
    ledger.expired("b", T0 + 2)
    assert [m.key for m in ledger.lease("one", T0 + MINUTE, 60, 5)] == ["c"]
    found = {m.key: (m.delivered_at, m.expired_at) for m in ledger.messages()}
    assert found == {"a": (T0 + 1, None), "b": (None, T0 + 2), "c": (None, None)}


def test_a_failure_waits_for_its_time_and_says_why(ledger: Ledger) -> None:
    ledger.lease("one", T0, 60, 1)
    ledger.failed("a", T0 + 1, "ConnectError", T0 + 5 * MINUTE)
    assert "a" not in [m.key for m in ledger.lease("one", T0 + MINUTE, 60, 5)]
    assert ledger.messages()[0].error == "ConnectError"
    assert "a" in [m.key for m in ledger.lease("one", T0 + 5 * MINUTE, 60, 5)]


def test_a_message_of_the_same_key_is_one_message(ledger: Ledger) -> None:
    ledger.commit(tick(T0 + MINUTE, since=T0, messages=["a", "d"]))
    assert [m.key for m in ledger.messages()] == ["a", "b", "c", "d"]


def test_workers_at_once_share_the_messages(tmp_path: Path) -> None:
    keys = [f"{n:02}" for n in range(30)]
    Ledger.open(tmp_path / "l").commit(tick(T0, messages=keys))
    taken: list[str] = []

    def work(name: str) -> None:
        mine = Ledger.open(tmp_path / "l")
        while leased := mine.lease(name, T0, 60, 3):
            taken.extend(one.key for one in leased)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == keys


def test_the_ledger_starts_light() -> None:
    program = """
import sys
import clinical_jepa.store.ledger
print([name for name in ("polars", "pyarrow", "pandas", "torch", "wfdb", "pydicom", "fastapi") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
