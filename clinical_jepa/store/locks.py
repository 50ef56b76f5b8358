"""One writer at a time. Readers never lock: they read what the newest manifest names."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def writer_lock(root: Path) -> Iterator[None]:
    """Held by one process (and one open file) at a time; waits for it; a dying process gives it back."""
    with (root / "writer.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
