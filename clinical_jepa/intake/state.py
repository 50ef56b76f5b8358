"""How far a source was read: one small SQLite file beside its spool folders, committed only after files are durable.

Losing the file loses no record: the next run reads everything again, and what is in the store already is known there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from clinical_jepa.intake.alone import alone
from clinical_jepa.records.errors import FetchFailed

FILE = "state.sqlite"
Key = tuple[str, str]  # type, id
_TABLES = """
CREATE TABLE IF NOT EXISTS cursor (kind TEXT PRIMARY KEY, since TEXT NOT NULL, full_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS run (number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS seen (kind TEXT, id TEXT, digest TEXT NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (kind, id))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS receipt (
  file TEXT PRIMARY KEY, received_at TEXT NOT NULL, server_date TEXT, bytes INTEGER NOT NULL, entries INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS export (
  name TEXT PRIMARY KEY, status_url TEXT NOT NULL, run INTEGER NOT NULL, manifest BLOB, asked_again INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS export_file (
  name TEXT, url TEXT, file TEXT NOT NULL, entries INTEGER NOT NULL, problem TEXT NOT NULL, PRIMARY KEY (name, url));
"""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """One durable file: when it came by our clock, and by the server's ``Date``."""

    file: str
    received_at: str
    server_date: str | None
    size: int
    entries: int


@dataclass(frozen=True, kw_only=True)
class State:
    """The tables of one source; every method is one commit."""

    folder: Path
    db: sqlite3.Connection

    def new_run(self, at: float) -> int:
        """The number of a run that begins now; files of a run lie in a folder of that number."""
        with self.db:
            number = self.db.execute("INSERT INTO run (at) VALUES (?)", (at,)).lastrowid
        assert number is not None
        return number

    def cursor(self, kind: str) -> tuple[str, float] | None:
        """``(since, when everything was last read)`` of a type, or None before the first complete reading."""
        row = self.db.execute("SELECT since, full_at FROM cursor WHERE kind = ?", (kind,)).fetchone()
        return None if row is None else (str(row[0]), float(row[1]))

    def move(self, kind: str, since: str, full_at: float) -> None:
        """The next reading of ``kind`` begins at ``since``."""
        with self.db:
            self.db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (kind, since, full_at))

    def digests(self, keys: Iterable[Key]) -> dict[Key, str]:
        """What the resources of these keys looked like when they came last."""
        found = {}
        for key in keys:
            row = self.db.execute("SELECT digest FROM seen WHERE kind = ? AND id = ?", key).fetchone()
            if row is not None:
                found[key] = str(row[0])
        return found

    def note(self, digests: Mapping[Key, str], run: int, receipt: Receipt | None) -> None:
        """These resources were listed in ``run``; ``receipt`` names the durable file that holds them, if one was needed."""
        rows = [(*key, digest, run) for key, digest in digests.items()]
        with self.db:
            self.db.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", rows)
            if receipt is not None:
                self.receive(receipt)

    def listed(self, kind: str, run: int) -> int:
        """How many resources of a type were listed in ``run``."""
        row = self.db.execute("SELECT count(*) FROM seen WHERE kind = ? AND run = ?", (kind, run)).fetchone()
        return int(row[0])

    def unlisted(self, kind: str, run: int) -> list[str]:
        """Ids that came earlier and were not listed in ``run``."""
        rows = self.db.execute("SELECT id FROM seen WHERE kind = ? AND run < ? ORDER BY id", (kind, run))
        return [str(row[0]) for row in rows]

    def count(self, kind: str) -> int:
        """How many resources of a type are known."""
        return int(self.db.execute("SELECT count(*) FROM seen WHERE kind = ?", (kind,)).fetchone()[0])

    def forget(self, kind: str, ids: Iterable[str], receipt: Receipt) -> None:
        """These are gone from the server; the file of ``receipt`` says so."""
        with self.db:
            self.db.executemany("DELETE FROM seen WHERE kind = ? AND id = ?", [(kind, one) for one in ids])
            self.receive(receipt)

    def receipts(self) -> list[Receipt]:
        """Every file that came, by name."""
        rows = self.db.execute("SELECT file, received_at, server_date, bytes, entries FROM receipt ORDER BY file")
        return [
            Receipt(file=file, received_at=at, server_date=date, size=size, entries=entries)
            for file, at, date, size, entries in rows
        ]

    def receive(self, receipt: Receipt) -> None:
        """Part of another commit: a file that came."""
        row = (receipt.file, receipt.received_at, receipt.server_date, receipt.size, receipt.entries)
        self.db.execute("INSERT OR IGNORE INTO receipt VALUES (?, ?, ?, ?, ?)", row)


@contextmanager
def opened(folder: Path) -> Iterator[State]:
    """The state of the source whose files lie below ``folder``, held by one process at a time.

    ``BadRequest`` where another fetch of the same source is under way.
    """
    with alone(folder):
        try:
            with closing(sqlite3.connect(folder / FILE)) as db:
                db.execute("PRAGMA synchronous = FULL")
                db.executescript(_TABLES)
                yield State(folder=folder, db=db)
        except sqlite3.Error as error:
            raise FetchFailed(
                f"{folder / FILE} cannot be read or written ({error}); what came is kept. If the file is damaged, remove "
                "it: the next run reads everything again, and nothing is lost or doubled by that"
            ) from error
