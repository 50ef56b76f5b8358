"""Reads a ledger through, and changes nothing: not even one that is empty, or that another process writes to."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from clinical_jepa.records.errors import BrokenStore
from clinical_jepa.store.ledger import require_version
from clinical_jepa.store.ledger_errors import unopened


def check(path: Path) -> None:
    """``BrokenStore`` where it is damaged or of another version, ``LedgerFailed`` where this user may not read it."""
    real = Path(os.path.realpath(path))  # a log lies beside the file that a link leads to
    # whoever has it open keeps such a log; without one, to read in the ordinary way would make one, and leave it there
    way = "mode=ro" if Path(f"{real}-wal").exists() else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{real.as_uri()}?{way}", uri=True)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise unopened(path, error) from error
    if found != "ok":
        raise BrokenStore(f"{path} is damaged ({found}); nothing was changed; restore it from a backup")
    require_version(path, version)
