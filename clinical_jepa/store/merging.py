"""Fewer and larger segments and index files, by subject; no answer changes, whatever instant it is as of.

Small ones are merged among themselves; larger ones when there are many, the smallest first, so that a row is written anew as
often as the store doubles. A merge holds ``MERGE_ROWS`` rows in memory, whatever it merges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from clinical_jepa.store import index
from clinical_jepa.store.manifest import Manifest, Segment
from clinical_jepa.store.reach import measured
from clinical_jepa.store.segments import SCHEMAS, TIMED, by_subject, read_segments, write_segment
from clinical_jepa.vocabulary.identity import content_id

MANY = 64  # runs of one kind, or small segments of it
SMALL_ROWS = 50_000
SEGMENT_ROWS = 500_000  # of a merged segment: some tens of MB
MERGE_ROWS = 2_000_000  # at once: half a GB or so


def tidied(root: Path, manifest: Manifest) -> Manifest:
    """The same store, merged where it has become many files; still to be published."""
    for kind in SCHEMAS:
        small = [segment for segment in manifest.of(kind) if segment.rows < SMALL_ROWS]
        if len(small) > MANY:
            manifest = compacted(root, manifest, kind, small)
        runs = _runs(manifest.of(kind))
        if len(runs) > MANY:
            manifest = compacted(root, manifest, kind, [one for run in _smallest(runs) for one in run])
    return index_tidied(root, manifest)


def index_tidied(root: Path, manifest: Manifest) -> Manifest:
    """The same store, its index files merged where they are many; still to be published."""
    return replace(manifest, index=index.fewer(root, manifest.index, f"{manifest.commit:08d}"))


def settled(root: Path, manifest: Manifest) -> Manifest:
    """The same store in as few files as it can be; still to be published."""
    for kind in SCHEMAS:
        if len(_runs(manifest.of(kind))) > 1:
            manifest = compacted(root, manifest, kind, manifest.of(kind))
    return replace(manifest, index=index.fewer(root, manifest.index, f"{manifest.commit:08d}", many=1))


def compacted(root: Path, manifest: Manifest, kind: str, old: Sequence[Segment]) -> Manifest:
    """The same store with these segments of one kind merged; still to be published."""
    what = content_id(*(segment.name for segment in old))[:12]  # a name of its own: an older one may still be read
    new = tuple(_merged(root, kind, f"{manifest.commit:08d}m{what}", old))
    rest = tuple(segment for segment in manifest.segments if segment not in old)
    return replace(manifest, segments=(*rest, *new))


def _runs(segments: Sequence[Segment]) -> list[list[Segment]]:
    """The segments by what was written together, the fewest rows first."""
    runs: dict[str, list[Segment]] = {}
    for segment in segments:
        runs.setdefault(segment.run, []).append(segment)
    return sorted(runs.values(), key=_rows)


def _smallest(runs: Sequence[list[Segment]]) -> list[list[Segment]]:
    """The smaller half of the runs, and each further one that is no larger than all before it together."""
    chosen = list(runs[: len(runs) // 2 + 1])
    total = sum(map(_rows, chosen))
    for run in runs[len(chosen) :]:
        if _rows(run) > total:
            break
        chosen.append(run)
        total += _rows(run)
    return chosen


def _rows(run: Sequence[Segment]) -> int:
    return sum(segment.rows for segment in run)


def _merged(root: Path, kind: str, stem: str, old: Sequence[Segment]) -> Iterator[Segment]:
    """The same rows in segments of about ``SEGMENT_ROWS``, none of which shares a subject with another; the old ones stay."""
    number = 0
    for where in _ranges(root, old) if kind in TIMED else [None]:
        table = read_segments(root, kind, old, where=where)
        pieces = [(first, SEGMENT_ROWS) for first in range(0, table.num_rows, SEGMENT_ROWS)]
        if kind in TIMED:
            table = by_subject(table)
            pieces = _cut(table["subject_id"].to_numpy())
        for first, size in pieces:
            yield write_segment(root, kind, f"{stem}-{number:04d}", table.slice(first, size))
            number += 1


def _ranges(root: Path, segments: Sequence[Segment]) -> list[pc.Expression]:
    """Ranges of subjects that have some ``MERGE_ROWS`` rows each."""
    found = measured(root, segments)
    group = (np.cumsum(found.rows) - 1) // MERGE_ROWS
    edges = [found.subjects[group == number][[0, -1]].tolist() for number in np.unique(group)]
    return [(pc.field("subject_id") >= low) & (pc.field("subject_id") <= high) for low, high in edges]


def _cut(subject: np.ndarray) -> list[tuple[int, int]]:
    """(first row, rows) of pieces of about ``SEGMENT_ROWS``, cut where a subject ends."""
    ends = np.append(np.flatnonzero(subject[1:] != subject[:-1]) + 1, subject.size)
    pieces, first = [], 0
    for end, following in zip(ends.tolist(), [*ends[1:].tolist(), None], strict=True):
        if following is None or following - first > SEGMENT_ROWS:
            pieces.append((first, end - first))
            first = end
    return pieces
