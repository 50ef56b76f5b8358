"""One process at a time in a folder; who comes second is told so at once, and does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.store.lease import held

FILE = "fetch.lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """``folder``, made and held by this process; ``BadRequest`` where another one holds it. A dying process lets go."""
    with held(folder / FILE) as mine:
        if not mine:
            raise BadRequest(f"another fetch into {folder} is under way; nothing was asked")
        yield
