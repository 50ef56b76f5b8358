"""One commit: its parts are written as they come, then one manifest names them all. Under the writer's lock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.crash_points import reached
from clinical_jepa.store.files import sweep, sync_folder
from clinical_jepa.store.manifest import Manifest, Segment
from clinical_jepa.store.parts import Work
from clinical_jepa.store.segments import SCHEMAS, SEGMENT_ROWS, merged
from clinical_jepa.vocabulary.identity import content_id

FOLDERS = (*SCHEMAS, "arrays")
MANY_SEGMENTS = 64  # small ones of one kind: then they are merged
MERGE_ROWS = 4_000_000  # at once: a GB or so
SMALL_ROWS = 50_000  # what has more is left as it is, so that a merge never takes much memory


def commit(work: Work, parts: Iterable[Sequence[SourceBatch]], *, file_hash: str | None) -> Manifest:
    """The new manifest; the same one when there was nothing new. What of it is new is then found in ``work``.

    Until the manifest is written nothing of the parts belongs to the store; what a kill leaves of them is swept by the next
    writer.
    """
    manifest, root = work.known.manifest, work.known.root
    sweep(root, FOLDERS, manifest.names())
    for number, part in enumerate(parts):
        work.write(part, number)
    if not work.segments and file_hash is None:
        return manifest
    clocks = [clock for clock in (manifest.clock, work.clock) if clock is not None]
    after = replace(
        manifest,
        commit=work.commit,
        clock=max(clocks, default=None),
        segments=(*manifest.segments, *work.segments),
        arrays={**manifest.arrays, **work.arrays},
        files=(*manifest.files, *([file_hash] if file_hash else [])),
    )
    return publish(root, after)


def publish(root: Path, after: Manifest) -> Manifest:
    """Commit a manifest whose files are written; merges small segments where there are many."""
    for kind in SCHEMAS:
        small = [segment for segment in after.of(kind) if segment.rows < SMALL_ROWS]
        if len(small) > MANY_SEGMENTS:
            after = compacted(root, after, kind, small)
    for folder in FOLDERS:
        sync_folder(root / folder)
    reached("append.after-segments")
    manifests.write(root, after)
    return after


def compact(root: Path, manifest: Manifest) -> Manifest:
    """The store with its segments merged by time, some millions of rows at once; published."""
    for kind in SCHEMAS:
        for group in _groups(manifest.of(kind)):
            if len(group) > -(-sum(segment.rows for segment in group) // SEGMENT_ROWS):
                manifest = compacted(root, manifest, kind, group)
    return publish(root, manifest)


def _groups(segments: Sequence[Segment]) -> list[list[Segment]]:
    """The segments in the order of their time, in groups that fit into memory."""
    groups: list[list[Segment]] = []
    rows = MERGE_ROWS
    for segment in sorted(segments, key=lambda one: (one.min_available or 0, one.name)):
        if rows + segment.rows > MERGE_ROWS:
            groups.append([])
            rows = 0
        groups[-1].append(segment)
        rows += segment.rows
    return groups


def compacted(root: Path, manifest: Manifest, kind: str, old: Sequence[Segment]) -> Manifest:
    """The same store with these segments of one kind merged; still to be published."""
    what = content_id(*(segment.name for segment in old))[:12]  # a name of its own: an older one may still be read
    new = merged(root, kind, f"{manifest.commit:08d}m{what}", old)
    rest = tuple(segment for segment in manifest.segments if segment not in old)
    return replace(manifest, segments=(*rest, *new))
