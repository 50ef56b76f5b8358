"""What a loss of power leaves: contents are on disk before their name, names before the manifest, the manifest before the end.

A kill of the process cannot show this, the kernel keeps what was written; so the order of calls is looked at instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from clinical_jepa.store.events import Store
from clinical_jepa.store.ledger import Ledger
from tests.store.builders import put, stored
from tests.store.test_crash import everything


@dataclass(frozen=True)
class Call:
    """A sync or a rename: of which file or folder, how long it was then, and its new name."""

    what: str
    inode: int
    size: int
    path: Path | None = None


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Every sync and rename from here on, in order."""
    seen: list[Call] = []
    sync, rename = os.fsync, Path.rename

    def synced(handle: int) -> None:
        sync(handle)
        seen.append(Call("sync", os.fstat(handle).st_ino, os.fstat(handle).st_size))

    def renamed(path: Path, target: Path) -> Path:
        done = rename(path, target)
        seen.append(Call("rename", done.stat().st_ino, done.stat().st_size, done))
        return done

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    return seen


def drop(store: Store) -> None:
    store.drop_rejections(store.rejections()["rejection_id"][:1].to_pylist())


WORK: dict[str, Callable[[Store], object]] = {
    "append": lambda store: put(store, everything("c")),
    "compact": lambda store: store.compact(),
    "drop": drop,
}


@pytest.mark.parametrize("work", WORK)
def test_contents_then_names_then_the_manifest(tmp_path: Path, calls: list[Call], work: str) -> None:
    store = stored(tmp_path / "store", everything("a"), everything("b"))
    calls.clear()
    WORK[work](store)
    renames = [place for place, call in enumerate(calls) if call.what == "rename"]
    *files, manifest = renames
    assert len(files) >= (6 if work == "append" else 1)  # arrays, and a segment of each of five kinds
    for place in renames:
        assert Call("sync", calls[place].inode, calls[place].size) in calls[:place], f"{calls[place].path} not synced"
    for place in files:
        path = calls[place].path
        assert path is not None
        folder = path.parent.stat().st_ino
        assert folder in [call.inode for call in calls[place:manifest]], f"the name of {path} is not synced"
    assert calls[manifest].path == store.path / "manifest.json"
    assert store.path.stat().st_ino in [call.inode for call in calls[manifest:]]


def test_a_new_store_is_on_disk_when_it_is_made(tmp_path: Path, calls: list[Call]) -> None:
    store = Store.open(tmp_path / "store", create=True)
    written, named, folder = calls
    assert (written.what, named.what, folder.what) == ("sync", "rename", "sync")
    assert (written.inode, written.size) == (named.inode, named.size)
    assert folder.inode == store.path.stat().st_ino


def test_a_ledger_syncs_every_commit(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "l.sqlite")
    assert ledger._connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert ledger._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
