"""One commit: its parts are written as they come, then one manifest names them all. Under the writer's lock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.store import index, merging
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.crash_points import reached
from clinical_jepa.store.files import sweep, sync_folder
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.parts import Work
from clinical_jepa.store.segments import SCHEMAS, read_kind

FOLDERS = (*SCHEMAS, "arrays", index.FOLDER)


def commit(work: Work, parts: Iterable[Sequence[SourceBatch]], *, file_hash: str | None) -> Manifest:
    """The new manifest; the same one when there was nothing new. What of it is new is then found in ``work``.

    Until the manifest is written nothing of the parts belongs to the store; what a kill leaves of them is swept by the next
    writer.
    """
    manifest, root = work.known.manifest, work.known.root
    clean(root, manifest)
    for number, part in enumerate(parts):
        work.write(part, number)
    work.note(file_hash)
    if not work.segments:
        return manifest
    clocks = [clock for clock in (manifest.clock, work.clock) if clock is not None]
    after = replace(
        manifest,
        commit=work.commit,
        clock=max(clocks, default=None),
        segments=(*manifest.segments, *work.segments),
        index={**manifest.index, **work.index},
    )
    return publish(root, after)


def clean(root: Path, manifest: Manifest) -> None:
    """Removes what does not belong to the store: left by a kill, or merged. Under the writer's lock."""
    arrays = read_kind(root, manifest, "digests", columns=["name"])
    sweep(root, FOLDERS, manifest.names() | set(arrays["name"].to_pylist()))


def publish(root: Path, after: Manifest) -> Manifest:
    """Commit a manifest whose files are written; merges files where there are many."""
    return _published(root, merging.tidied(root, after))


def compact(root: Path, manifest: Manifest) -> Manifest:
    """The store in as few files as it can be, by subject; published."""
    return _published(root, merging.settled(root, manifest))


def _published(root: Path, after: Manifest) -> Manifest:
    for folder in FOLDERS:
        sync_folder(root / folder)
    reached("append.after-segments")
    manifests.write(root, after)
    return after
