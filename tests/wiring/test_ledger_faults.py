"""A verb whose ledger finds no room, no right or no turn ends with one line, and goes on once that is mended."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from clinical_jepa.evaluate.checks.script import admission, pressures
from clinical_jepa.evaluate.checks.stand_in import StandIn
from clinical_jepa.store import ledger as ledgers
from clinical_jepa.store.ledger import Ledger
from clinical_jepa.store.tick_rows import put_messages
from clinical_jepa.wiring import compose
from tests.monitor.scenes import RULES, Scene
from tests.permissions import modes_hold
from tests.store.test_ledger_errors import KEPT, no_longer_file
from tests.store.ticks import message
from tests.wiring.test_os_errors import ended

CLOCK = "2026-01-05T20:00Z"
VERBS = {
    "tick": ("tick", "--clock", CLOCK),
    "watch": ("watch", "--ticks", "1", "--clock", CLOCK),
    "relay": ("relay", "--once", "--clock", "2026-01-05T08:00Z"),
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ward of the stand-in forecaster, and a message that waits."""
    Scene.open(tmp_path).history([*admission(1), *pressures(1, [(minute, 80.0) for minute in range(1, 400, 10)])])
    path = tmp_path / "store" / compose.LEDGER
    ledger = Ledger.open(path)
    for number in range(30):
        ledger.heartbeat("watch", number, number)
    with ledger._transaction() as run:
        put_messages(run, [message("k")])
    ledger.close()
    monkeypatch.setattr(compose, "policy", lambda settings: RULES)
    monkeypatch.setattr(compose, "forecaster", lambda settings: StandIn(RULES.task))
    monkeypatch.setattr(ledgers, "_WAIT_S", 0.2)
    return tmp_path / "store"


@contextmanager
def quota(path: Path) -> Iterator[None]:
    ledger = Ledger.open(path)  # a long log, which the verb would have to make longer
    for number in range(30):
        ledger.heartbeat("page", number, number)
    with no_longer_file(path, ledger):
        yield
    ledger.close()


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    path.chmod(bits)
    with modes_hold():
        yield
    path.chmod(0o600)


@contextmanager
def held(path: Path) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


FAULTS: dict[str, tuple[Callable[[Path], AbstractContextManager[None]], str]] = {
    "quota": (quota, "could not be read or written (disk I/O error): a quota"),
    "read-only": (lambda path: mode(path, 0o400), "may not be written"),
    "unreadable": (lambda path: mode(path, 0), "cannot be opened"),
    "locked": (held, "was held by another process"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_ends_with_one_line(
    store: Path, verb: str, fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = store / compose.LEDGER
    plant, said = FAULTS[fault]
    with plant(path):
        status, text = ended(monkeypatch, capsys, *VERBS[verb], "--store", store)
    *told, last = text.splitlines()
    assert status == 1
    assert last.startswith(f"clinical-jepa: {path} {said}")
    assert KEPT in last
    assert [line for line in told if not line.startswith("watching on")] == []
    assert ended(monkeypatch, capsys, *VERBS[verb], "--store", store)[0] in (None, 0, 3)  # mended: the same again
    (carried,) = Ledger.open(path).messages()
    assert (carried.key, carried.delivered_at is not None) == (message("k").key, verb == "relay")


@pytest.mark.parametrize("fault", ["unreadable", "locked"])
def test_the_page_does_not_begin_without_its_ledger(
    store: Path, fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plant, said = FAULTS[fault]
    with plant(store / compose.LEDGER):
        status, text = ended(monkeypatch, capsys, "serve", "--store", store, "--model", store / "none", "--port", 0)
    assert (status, text.count("\n")) == (1, 1)
    assert said in text
