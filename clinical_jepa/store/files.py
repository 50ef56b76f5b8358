"""Files that are either whole or absent: written aside, synced, renamed; their folder synced too."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from clinical_jepa.records.errors import BrokenStore

ASIDE = ".aside"  # suffix of a file that is still being written


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Make ``path`` hold what ``write`` writes, or leave it as it was. Call ``sync_folder`` before relying on the name."""
    aside = path.with_name(path.name + ASIDE)
    with aside.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)


def write_bytes(path: Path, content: bytes) -> None:
    """The same where the content is at hand."""
    write_whole(path, lambda file: file.writelines([content]))


def digest(path: Path) -> str:
    """32 hex characters that change with any byte of the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def check_of(said: Any) -> str:
    """32 hex characters that change with whatever a JSON file says: it carries them beside that."""
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()


def verify(path: Path, expected: str) -> None:
    """``BrokenStore`` unless the file is byte for byte what was written. A file that did not change is read once for it."""
    state = path.stat()
    if _digest_of(str(path), state.st_ino, state.st_size, state.st_mtime_ns) != expected:
        raise BrokenStore(
            f"{path} is damaged: its bytes are not those that were written; nothing was changed; restore it"
        )


@lru_cache(maxsize=65_536)
def _digest_of(path: str, inode: int, size: int, changed: int) -> str:
    return digest(Path(path))


def unreadable(path: Path) -> PermissionError:
    """What is raised of a file that may not be read: it is not damaged, and whoever has the right reads on."""
    return PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(root: Path, folders: Iterable[str], keep: set[str]) -> int:
    """How many files were removed from ``root/<folder>``: those not in ``keep`` ("folder/name"), left by a crash.

    Only under the writer's lock: what is not in the manifest is then nobody's.
    """
    swept = 0
    for folder in folders:
        for path in (root / folder).iterdir():
            if f"{folder}/{path.name}" not in keep:
                path.unlink()
                swept += 1
    return swept
