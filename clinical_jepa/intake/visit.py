"""One run against one server: what is asked of it, and where that is kept."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from clinical_jepa.intake import spool
from clinical_jepa.intake.door import Answer, Door, host
from clinical_jepa.intake.fhir_pages import written
from clinical_jepa.intake.state import Receipt, State

Progress = Callable[[int, int], None]  # done, in all


@dataclass(frozen=True, kw_only=True)
class Visit:
    """``base`` without a slash at its end; ``now`` in seconds of wall time; ``run`` names the folder of its files.

    ``capability``: the server's CapabilityStatement, kept beside them, which tells a reader their version of FHIR.
    """

    door: Door
    base: str
    state: State
    run: int
    now: Callable[[], float]
    tell: Progress = lambda done, total: None
    capability: bytes | None = None

    @property
    def folder(self) -> Path:
        """Where the files of this run lie; it appears with the first of them (``begin``)."""
        return self.state.folder / f"{self.run:06d}"

    def begin(self) -> Path:
        """The folder, made, with what describes the server in it."""
        if self.capability is not None and not self.folder.is_dir():
            spool.put(self.folder, named("CapabilityStatement", self.capability), self.capability)
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder

    def keep(self, name: str, body: bytes, *, entries: int, answer: Answer | None = None) -> Receipt:
        """``body``, durable, as a file of this run; its receipt is committed by the caller, afterwards."""
        path, _ = spool.put(self.begin(), name, body)
        return self.receipt(path, size=len(body), entries=entries, answer=answer)

    def receipt(self, path: Path, *, size: int, entries: int, answer: Answer | None = None) -> Receipt:
        """When a file came, by both clocks."""
        return Receipt(
            file=f"{path.parent.name}/{path.name}",
            received_at=written(datetime.fromtimestamp(self.now(), UTC)),
            server_date=None if answer is None else answer.headers.get("date"),
            size=size,
            entries=entries,
        )


def folder_of(root: Path, base: str) -> Path:
    """Where everything of one server lies below the spool folder ``root``."""
    mark = hashlib.blake2b(base.rstrip("/").encode(), digest_size=4).hexdigest()
    return root / f"{re.sub(r'[^A-Za-z0-9.-]', '_', host(base))}-{mark}"


def named(kind: str, body: bytes) -> str:
    """The file name of a JSON document of this type and content."""
    return file_name(kind, hashlib.blake2b(body, digest_size=10).hexdigest(), ".json")


def file_name(kind: str, digest: str, suffix: str) -> str:
    """A file name of type and content. Types come first: readers look up patients and encounters by it."""
    return f"{re.sub(r'[^A-Za-z]', '', kind)}-{digest}{suffix}"
