"""What a reader holds in memory of each kind of row, and how it follows a store that others write to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from clinical_jepa.records.errors import BrokenStore
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.chains import extended, view
from clinical_jepa.store.changes import COMMIT, NO_CHANGES, Changes
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.segments import SCHEMAS, read_segments
from clinical_jepa.store.visible import View

TIMED = ("events", "signals", "images")
_ATTEMPTS = 5
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The views as of one commit; immutable, so that a reader in another thread keeps what it began with."""

    commit: int
    views: dict[str, View] = field(default_factory=dict)
    changes: Changes = NO_CHANGES


def nothing() -> Loaded:
    """Before anything was read."""
    empty = {kind: view(pa.schema([*SCHEMAS[kind], COMMIT]).empty_table()) for kind in TIMED}
    return Loaded(commit=0, views=empty)


def followed(root: Path, manifest: Manifest, loaded: Loaded) -> Loaded:
    """``loaded`` with the rows of later commits."""
    if loaded.commit == manifest.commit:
        return loaded

    def later(kind: str) -> pa.Table:
        return read_segments(root, kind, manifest.of(kind, after=loaded.commit), after=loaded.commit)

    fresh = Changes(retractions=later("retractions"), links=later("links"))
    changes = loaded.changes.and_(fresh.retractions, fresh.links) if fresh else loaded.changes
    views = {kind: extended(loaded.views[kind], later(kind), changes, fresh) for kind in TIMED}
    return Loaded(commit=manifest.commit, views=views, changes=changes)


def reread(root: Path, manifest: Manifest, read: Callable[[Manifest], Result]) -> Result:
    """What ``read`` makes of the manifest, or of a newer one when a compaction removed files under it."""
    for _ in range(_ATTEMPTS):
        try:
            return read(manifest)
        except FileNotFoundError as error:
            newer = manifests.read(root)
            if newer == manifest:
                raise BrokenStore(
                    f"a segment of {root} is missing ({error.filename}); restore it from a backup"
                ) from error
            manifest = newer
    raise BrokenStore(f"{root} changed {_ATTEMPTS} times while it was read; try again")
