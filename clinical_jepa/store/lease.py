"""Work that must not be done twice at once: a lease by name, in the store itself, so that no scheduler has to be trusted.

A schedule may skip, double or overlap its runs. Whoever does not get the lease leaves the work to the run that has it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = "leases"


@contextmanager
def lease(root: Path, name: str) -> Iterator[bool]:
    """``held`` of a store, by name. ``ValueError`` for a name that is no plain word."""
    if not name.replace("-", "").isalnum():
        raise ValueError(f"a lease is named by letters, digits and hyphens, not {name!r}")
    with held(root / FOLDER / f"{name}.lock") as mine:
        yield mine


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """True where the lock at ``path`` is ours until the block ends; False at once where another process has it.

    Held by an open file, so that a process that dies gives it back, whatever killed it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
