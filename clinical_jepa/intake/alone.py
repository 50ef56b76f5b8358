"""One process at a time in a folder; who comes second is told so at once, and does nothing."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clinical_jepa.records.errors import BadRequest

FILE = "fetch.lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """``folder``, made and held by this process; ``BadRequest`` where another one holds it. A dying process lets go."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadRequest(f"another fetch into {folder} is under way; nothing was asked") from error
        yield
