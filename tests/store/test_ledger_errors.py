"""A ledger that finds no room, no right or no turn says so, keeps what it had, and goes on once that is mended."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clinical_jepa.records.errors import BrokenStore, LedgerFailed
from clinical_jepa.store import ledger as ledgers
from clinical_jepa.store.ledger import Ledger
from clinical_jepa.store.ledger_errors import explained
from tests.permissions import modes_hold
from tests.store.ticks import T0, forecast, tick

KEPT = "what was committed is kept, nothing of the step under way"
Fault = Callable[[Path, Ledger], Iterator[None]]


@contextmanager
def full(path: Path, ledger: Ledger) -> Iterator[None]:
    """No page more than there is; the next transaction needs one."""
    execute = ledger._connection.execute
    execute(f"PRAGMA max_page_count = {execute('PRAGMA page_count').fetchone()[0]}")
    yield
    execute("PRAGMA max_page_count = 1000000")


@contextmanager
def no_longer_file(path: Path, ledger: Ledger) -> Iterator[None]:
    """No file may become longer than the ledger's log is: what a quota and ``ulimit -f`` do."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = Path(f"{path}-wal").stat().st_size
    assert size > 100_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def read_only(path: Path, ledger: Ledger) -> Iterator[None]:
    ledger._connection.execute("PRAGMA query_only = 1")
    yield
    ledger._connection.execute("PRAGMA query_only = 0")


@contextmanager
def held(path: Path, ledger: Ledger) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@contextmanager
def refused_at_its_end(path: Path, ledger: Ledger) -> Iterator[None]:
    """The transaction may begin and write, and not be committed."""

    def decide(action: int, what: str | None, *_: object) -> int:
        denied = action == sqlite3.SQLITE_TRANSACTION and what == "COMMIT"
        return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK

    ledger._connection.set_authorizer(decide)
    yield
    ledger._connection.set_authorizer(None)


def ended(fault: str, ends: str) -> pytest.MarkDecorator:
    return pytest.mark.fault(source="ledger", fault=fault, ends=ends)


SAYS_WHERE = "LedgerFailed says where and what to do; the last tick stays, the step can be done again"


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        pytest.param(full, LedgerFailed, "no space left for", marks=ended("no room", SAYS_WHERE)),
        pytest.param(no_longer_file, LedgerFailed, "could not be read or written", marks=ended("a quota", SAYS_WHERE)),
        pytest.param(read_only, LedgerFailed, "may not be written", marks=ended("read-only", SAYS_WHERE)),
        pytest.param(held, LedgerFailed, "was held by another process", marks=ended("locked", SAYS_WHERE)),
        (refused_at_its_end, sqlite3.DatabaseError, "not authorized"),  # no fault of the ledger's: with its trace
    ],
)
def test_a_step_that_fails_is_said_is_not_kept_and_can_be_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, error: type[Exception], said: str
) -> None:
    monkeypatch.setattr(ledgers, "_WAIT_S", 0.1)
    path = tmp_path / "l.sqlite"
    ledger = Ledger.open(path)
    for number in range(30):
        ledger.heartbeat("watch", number, number)
    ledger.commit(tick(T0, outcomes=[forecast(1)]))
    before = ledger.dump()
    following = tick(T0 + 1, since=T0, outcomes=[forecast(one, at=T0 + 1) for one in range(200)])
    with fault(path, ledger):
        for _ in range(2):
            with pytest.raises(error, match=said) as failed:
                ledger.commit(following)
        assert ledger.dump() == before
    if error is LedgerFailed:
        assert str(path) in str(failed.value)
        assert KEPT in str(failed.value)
    assert ledger.commit(following)
    assert Ledger.open(path).last_tick() == (T0 + 1, 1)


@pytest.mark.fault(source="ledger", fault="no permission to read", ends="LedgerFailed that names the right it needs")
def test_a_ledger_that_this_user_may_not_open_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    Ledger.open(path).close()
    path.chmod(0)
    with modes_hold(), pytest.raises(LedgerFailed, match=f"{path} cannot be opened .* may read and write"):
        Ledger.open(path)
    path.chmod(0o600)
    assert Ledger.open(path).ticks() == []


def test_a_ledger_that_another_process_holds_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "_WAIT_S", 0.1)
    path = tmp_path / "l.sqlite"
    ledger = Ledger.open(path)
    with held(path, ledger), pytest.raises(LedgerFailed, match="held by another process"):
        Ledger.open(path)


@pytest.mark.fault(source="ledger", fault="damaged pages", ends="BrokenStore at the read that meets them")
def test_damage_that_a_read_meets_is_said_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    ledger = Ledger.open(path)
    ledger.commit(tick(T0, outcomes=[forecast(one) for one in range(200)]))
    ledger.close()
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
    with pytest.raises(BrokenStore, match=f"{path} is no ledger, or a damaged one"):
        Ledger.open(path).outcomes()


def test_a_database_of_another_program_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE ticks (of_another_program TEXT)")
    other.close()
    with pytest.raises(BrokenStore, match="is no ledger"):
        Ledger.open(path)


def test_a_mistake_of_this_program_keeps_its_trace() -> None:
    assert explained("l.sqlite", sqlite3.ProgrammingError("Cannot operate on a closed database.")) is None
    with pytest.raises(sqlite3.OperationalError) as wrong:
        sqlite3.connect(":memory:").execute("SELECT nothing FROM nowhere")
    assert explained("l.sqlite", wrong.value) is None
