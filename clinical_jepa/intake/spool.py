"""Bytes from a network into a file that is whole or absent, also after a loss of power. Only then is receipt confirmed."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from clinical_jepa.store.files import sync_folder


def put(folder: Path, name: str, content: bytes) -> tuple[Path, bool]:
    """``(path, new)``: the content, durable, in ``folder`` as ``name`` made safe.

    The same name with the same bytes is the same file (``new`` false); with other bytes it gets a name of its own, so that
    nothing that was received is ever replaced.
    """
    make(folder)
    path = folder / safe(name)
    if path.exists() and path.read_bytes() != content:
        path = path.with_name(f"{hashlib.blake2b(content, digest_size=8).hexdigest()}-{path.name}")
    if path.exists():
        return path, False
    handle, part = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        return adopt(Path(part), path), True
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def make(folder: Path) -> None:
    """The folder and those above it, whose names outlive a loss of power too."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in reversed(missing):
        sync_folder(one.parent)


def adopt(part: Path, path: Path) -> Path:
    """``part``, written beside it, becomes ``path``: durable, under a name that stands for its content."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, path)
    sync_folder(path.parent)
    return path


def safe(name: str) -> str:
    """A file name without path or hidden start, at most 120 characters; what had to change is marked by a hash."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".")[-120:]
    if plain and plain == name:
        return plain
    return f"{hashlib.blake2b(name.encode(), digest_size=6).hexdigest()}-{plain[-100:]}"
