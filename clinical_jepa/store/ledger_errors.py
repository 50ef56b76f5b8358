"""What SQLite's errors mean to whoever keeps a ledger: what happened, where, what was kept, what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from clinical_jepa.records.errors import BrokenStore, ClinicalJepaError, LedgerFailed

_KEPT = "what was committed is kept, nothing of the step under way"
_DAMAGED = "{path} is no ledger, or a damaged one ({error}); nothing was changed; restore it from a backup"
_SAID = {  # by primary result code
    sqlite3.SQLITE_FULL: "no space left for {path} ({error}); {kept}; make room and run the same again",
    sqlite3.SQLITE_IOERR: "{path} could not be read or written ({error}): a quota that is used up, a limit on the size of "
    "files, or a failing disk; {kept}; mend that and run the same again",
    sqlite3.SQLITE_READONLY: "{path} may not be written ({error}); {kept}; give this user the right to write it and its "
    "folder, or run as a user who has it",
    sqlite3.SQLITE_CANTOPEN: "{path} cannot be opened ({error}); {kept}; it has to be a file that this user may read and "
    "write, in a folder that he may write",
    sqlite3.SQLITE_BUSY: "{path} was held by another process for longer than it is waited for ({error}); {kept}; let that "
    "process end, or end it, and run the same again",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def explained(path: Path | str, error: sqlite3.Error) -> ClinicalJepaError | None:
    """The error to raise in its place; None for one that is a mistake of this program, whose trace is wanted."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # above it: which kind of that
    said = _SAID.get(code)
    if said is None:
        return None
    kind = BrokenStore if code in _BROKEN else LedgerFailed
    return kind(said.format(path=path, error=error, kept=_KEPT))


def unopened(path: Path | str, error: sqlite3.Error) -> ClinicalJepaError:
    """The same where the file was to be opened: if no other reason is known, it is no ledger."""
    return explained(path, error) or BrokenStore(_DAMAGED.format(path=path, error=error))
