"""What the monitor wrote, in SQLite: memories, forecasts, alerts, the outbox. One tick is one transaction.

Durable and open to several processes (write-ahead log, synced at every commit): the loop, delivery workers, the page.
``:memory:`` is the same for a backtest. Threads may share a ledger; it is used by one at a time.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clinical_jepa.records.alerts import Acknowledgement, Alert, AlertState, Cause, Message, Transition
from clinical_jepa.records.errors import BadRequest, BrokenStore
from clinical_jepa.records.forecasts import Abstention, Forecast, Memory
from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.records.ward import Patient, TickCommit
from clinical_jepa.store.codecs import alert_from_json, outcome_from_json
from clinical_jepa.store.crash_points import reached
from clinical_jepa.store.ledger_errors import explained, unopened
from clinical_jepa.store.statements import statements
from clinical_jepa.store.tick_rows import write_tick

SCHEMA_VERSION = 2
_WAIT_S = 30.0  # for another process's transaction


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message of the outbox and what became of it so far; ward time."""

    key: str
    recipient: str
    alert_id: str
    created_at: int
    valid_until: int
    payload: bytes
    worker: str | None
    leased_until: int | None
    attempts: int
    next_try: int | None
    error: str | None
    delivered_at: int | None
    expired_at: int | None


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """A sign of life of a process, by wall time and by the ward clock."""

    wall: int
    ward_now: int


def require_version(path: Path | str, version: int) -> None:
    """``BrokenStore`` unless a ledger of this version, or an empty file (0), can be gone on with."""
    if version not in (0, SCHEMA_VERSION):
        raise BrokenStore(f"{path} has ledger version {version}; this program knows {SCHEMA_VERSION}; migrate it")


class Ledger:
    """Reads never change anything; each write is one transaction. ``LedgerFailed`` where it finds no room, right or turn."""

    def __init__(self, path: Path | str, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._guard = threading.RLock()
        self._handed_out: dict[int, int] = {}  # last number of the acknowledgements read for the tick at an instant

    @classmethod
    def open(cls, path: Path | str) -> Ledger:
        """The ledger at ``path``, made where there is none; ``BrokenStore`` where it is not one of this version."""
        try:
            connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            ledger = cls(path, connection)
            with ledger._transaction():
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    for statement in filter(str.strip, statements()["schema"].split(";")):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")
        except sqlite3.DatabaseError as error:
            raise unopened(path, error) from error
        require_version(path, version)
        return ledger

    def close(self) -> None:
        """Gives the file back."""
        self._connection.close()

    # The tick

    def last_tick(self) -> tuple[int, int] | None:
        """(now, watermark of the store) of the newest tick; None before the first."""
        row = self._one("last_tick")
        return (row["now"], row["watermark"]) if row else None

    def ticks(self) -> list[dict[str, int]]:
        """Every tick with its counts, oldest first."""
        return [dict(row) for row in self._all("ticks")]

    def patients(self) -> dict[int, Patient]:
        """The monitor's own memory of each patient."""
        rows = [dict(row) for row in self._all("patients")]
        for row in rows:
            row["alert"] = alert_from_json(row["alert"]) if row["alert"] else None
        return {row["subject_id"]: Patient(**row) for row in rows}

    def memory(self, subject_id: int, *, before: int | None = None) -> Memory | None:
        """The newest memory, or the newest snapshot with ``cursor < before``; None where there is none."""
        row = self._one("memory", subject_id=subject_id, before=END if before is None else before)
        return Memory(**row) if row else None

    def snapshots(self, subject_id: int) -> list[int]:
        """The cursors of the memories that are kept, ascending."""
        return [row["cursor"] for row in self._all("snapshots", subject_id=subject_id)]

    def commit(self, tick: TickCommit) -> bool:
        """Writes everything of a tick in one transaction. False, and nothing changed, when this tick was written before.

        ``BadRequest`` when another monitor has moved on meanwhile: what is offered rests on a state that is past.
        """
        with self._transaction() as run:
            reached("commit.begun")
            if run("has_tick", now=tick.now):
                return False
            newest = run("last_tick")
            if newest and newest[0]["now"] != tick.since:
                raise BadRequest("another monitor has written a later tick; this one was not written; run only one")
            write_tick(run, tick)
            run("apply_acknowledgements", now=tick.now, last=self._handed_out.get(tick.now, 0))
            reached("commit.before-commit")
        self._handed_out.clear()
        reached("commit.done")
        return True

    # What was said

    def outcomes(
        self, *, since: int = BEGINNING, until: int = END, subject_id: int | None = None, limit: int = -1
    ) -> list[Forecast | Abstention]:
        """Forecasts and abstentions at ``since <= at <= until``, newest first (negative limit: all)."""
        rows = self._all("outcomes", since=since, until=until, subject_id=subject_id, limit=limit)
        return [outcome_from_json(row["body"]) for row in rows]

    def alerts(self, open_only: bool = False, *, since: int = BEGINNING) -> list[Alert]:
        """Alerts raised at or after ``since`` as they are now, oldest first."""
        return [alert_from_json(row["body"]) for row in self._all("alerts", open=int(open_only), since=since)]

    def transitions(self, alert_id: str | None = None) -> list[Transition]:
        """What changed, in order."""
        return [_transition(dict(row)) for row in self._all("transitions", alert_id=alert_id)]

    # People's answers

    def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        """Keeps a person's answer for the next tick."""
        with self._transaction() as run:
            run("put_acknowledgement", **asdict(acknowledgement))

    def acknowledgements(self, until: int) -> tuple[Acknowledgement, ...]:
        """Answers given up to then that no tick has applied. The commit of the tick at ``until`` marks these as applied.

        An answer that comes between this and that commit is left for the next tick.
        """
        with self._guard:
            rows = self._all("waiting_acknowledgements", until=until)
            self._handed_out[until] = max((row["number"] for row in rows), default=0)
        return tuple(Acknowledgement(alert_id=row["alert_id"], by=row["by"], at=row["at"]) for row in rows)

    def answered(self) -> list[tuple[Acknowledgement, int | None]]:
        """Every answer ever given, with the tick that applied it (None: not yet): inputs of a replay."""
        rows = [dict(row) for row in self._all("all_acknowledgements")]
        return [(Acknowledgement(alert_id=r["alert_id"], by=r["by"], at=r["at"]), r["applied_at"]) for r in rows]

    # The outbox

    def messages(self) -> list[Delivery]:
        """Every message and what became of it, in order."""
        return [Delivery(**row) for row in self._all("messages")]

    def lease(self, worker: str, now: int, seconds: int, limit: int) -> list[Message]:
        """Up to ``limit`` messages that are due, oldest first, and nobody else's until the lease ends."""
        with self._transaction() as run:
            rows = run("lease", worker=worker, now=now, until=now + seconds * 1_000_000, limit=limit)
        rows = sorted((dict(row) for row in rows), key=lambda row: row["number"])
        return [Message(**{name: row[name] for name in row if name != "number"}) for row in rows]

    def delivered(self, key: str, at: int) -> None:
        """The receiver has it."""
        with self._transaction() as run:
            run("delivered", key=key, at=at)

    def failed(self, key: str, at: int, error: str, retry_at: int) -> None:
        """It could not be delivered at ``at``; it is due again at ``retry_at``."""
        with self._transaction() as run:
            run("failed", key=key, error=error, retry_at=retry_at)

    def expired(self, key: str, at: int) -> None:
        """It was not delivered while it was valid, and will not be."""
        with self._transaction() as run:
            run("expired", key=key, at=at)

    # Signs of life

    def heartbeat(self, name: str, wall: int, ward_now: int) -> None:
        """The process called ``name`` is alive."""
        with self._transaction() as run:
            run("put_heartbeat", name=name, wall=wall, ward_now=ward_now)

    def heartbeats(self) -> dict[str, Heartbeat]:
        """The newest sign of life by name."""
        return {row["name"]: Heartbeat(wall=row["wall"], ward_now=row["ward_now"]) for row in self._all("heartbeats")}

    # Replay

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Memory, forecasts, transitions and messages as canonical rows, so that two ledgers can be compared byte by byte.

        Deliveries are left out: they depend on receivers.
        """
        return {
            "memory": [tuple(row) for row in self._all("newest_memories")],
            "forecasts": sorted(
                tuple(row) for row in self._all("outcomes", since=BEGINNING, until=END, subject_id=None, limit=-1)
            ),
            "transitions": sorted(tuple(map(str, row)) for row in self._all("transitions", alert_id=None)),
            "messages": sorted(tuple(row)[:6] for row in self._all("messages")),
        }

    # SQLite

    def _all(self, name: str, /, **values: Any) -> list[sqlite3.Row]:
        with self._guard, _explained(self._path):
            return self._connection.execute(statements()[name], values).fetchall()

    def _one(self, name: str, /, **values: Any) -> sqlite3.Row | None:
        return next(iter(self._all(name, **values)), None)

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """Calls ``run(name, **values)`` inside are all kept or none."""
        with self._guard, _explained(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._all
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # where there was no room SQLite has ended it already
                    self._connection.execute("ROLLBACK")
                raise


@contextmanager
def _explained(path: Path | str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        said = explained(path, error)
        if said is None:
            raise
        raise said from error


def _transition(row: dict[str, Any]) -> Transition:
    before = AlertState(row["before"]) if row["before"] else None
    return Transition(**{**row, "before": before, "after": AlertState(row["after"]), "cause": Cause(row["cause"])})
