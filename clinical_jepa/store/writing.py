"""One commit: new rows of batches become arrays and segments, then one manifest names them. Under the writer's lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.batch import Mode, SourceBatch
from clinical_jepa.records.events import EVENTS
from clinical_jepa.store import changed
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store import receipt as receipts
from clinical_jepa.store.arrays import write_arrays
from clinical_jepa.store.crash_points import reached
from clinical_jepa.store.crosswalk import Crosswalk
from clinical_jepa.store.files import sweep, sync_folder
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.seen import Seen
from clinical_jepa.store.segments import SCHEMAS, merged, with_commit, write_segment

Prepare = Callable[[np.ndarray, tuple[float, float] | None], np.ndarray]
FOLDERS = (*SCHEMAS, "arrays")
MANY_SEGMENTS = 64  # of one kind: then they are merged


@dataclass(frozen=True, kw_only=True)
class Appended:
    """What one append added; ``duplicates`` are rows that the store held already, ``bases`` counts how times are known."""

    events: int = 0
    signals: int = 0
    images: int = 0
    rejections: int = 0
    retractions: int = 0
    links: int = 0
    duplicates: int = 0
    bases: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a writer must know of the store before it adds to it."""

    root: Path
    manifest: Manifest
    seen: Seen
    crosswalk: Crosswalk


def commit(
    known: Known,
    batches: Sequence[SourceBatch],
    *,
    mode: Mode,
    now: Callable[[], int],
    prepare: Prepare,
    file_hash: str | None,
) -> tuple[Manifest, dict[str, pa.Table], Appended]:
    """The new manifest, the new rows by kind, and their counts; the same manifest when there was nothing new.

    The clock is read last, when all that takes long is done, so that hardly any time lies between it and the commit.
    """
    manifest, stem = known.manifest, f"{known.manifest.commit + 1:08d}"
    sweep(known.root, FOLDERS, manifest.names())
    tables, arrays, offered = _new_rows(known, batches, f"arrays/{stem}.npy", prepare)
    changes = changed.new_rows(batches, known.seen)
    instant = now()
    receipt = _receipt(manifest, instant, changed.some(changes)) if mode == "live" else None
    tables = receipts.stamped_all(tables | changes, receipt)
    stamps = [manifest.clock, receipt, receipts.newest_stamp(list(tables.values()))] if receipt is not None else []
    tables |= _other_rows(known, batches, instant)
    added = _counted(tables, offered)
    tables = {kind: with_commit(table, manifest.commit + 1) for kind, table in tables.items() if table.num_rows}
    if not tables and file_hash is None:
        return manifest, {}, added
    reached("append.before-segments")
    segments = [write_segment(known.root, kind, stem, table) for kind, table in tables.items()]
    after = replace(
        manifest,
        commit=manifest.commit + 1,
        clock=max((stamp for stamp in stamps if stamp is not None), default=manifest.clock),
        segments=(*manifest.segments, *segments),
        arrays=(*manifest.arrays, *arrays),
        files=(*manifest.files, *([file_hash] if file_hash else [])),
    )
    return publish(known.root, after), tables, added


def _receipt(manifest: Manifest, instant: int, changes: bool) -> int:
    """Never before a live commit; after all that was committed, where something of that is changed."""
    return instant if manifest.clock is None else max(instant, manifest.clock + changes)


def _other_rows(known: Known, batches: Sequence[SourceBatch], received: int) -> dict[str, pa.Table]:
    """Identities and refusals that the store does not hold."""
    people = known.crosswalk.new(one for batch in batches for one in batch.identities)
    refused = receipts.rejection_rows([one for batch in batches for one in batch.rejections], received)
    return {
        "crosswalk": receipts.identity_rows(people),
        "quarantine": refused.filter(pa.array(known.seen.fresh(refused["rejection_id"]))),
    }


def _new_rows(
    known: Known, batches: Sequence[SourceBatch], arrays: str, prepare: Prepare
) -> tuple[dict[str, pa.Table], tuple[str, ...], int]:
    """(rows by kind that the store does not hold, names of the arrays written for them, rows offered)."""
    events = pa.concat_tables([EVENTS.empty_table(), *(batch.events.cast(EVENTS) for batch in batches)])
    pieces = [piece for batch in batches for piece in batch.signals]
    items = [item for batch in batches for item in batch.images]
    offered = events.num_rows + len(pieces) + len(items)
    ids = pa.chunked_array([pa.array([p.event_id for p in pieces] + [i.event_id for i in items], pa.string())])
    fresh = known.seen.fresh(ids)
    pieces = [piece for piece, new in zip(pieces, fresh[: len(pieces)], strict=True) if new]
    items = [item for item, new in zip(items, fresh[len(fresh) - len(items) :], strict=True) if new]
    parts = [*(piece.samples for piece in pieces), *(item.pixels for item in items)]
    parts += [_prepared(prepare(item.pixels, item.spacing_mm)) for item in items]
    references = write_arrays(known.root, arrays, parts) if parts else []
    reached("append.after-arrays")
    pictures = len(pieces) + len(items)
    tables = {
        "events": events.filter(pa.array(known.seen.fresh(events["event_id"]))),
        "signals": receipts.signal_rows(pieces, references[: len(pieces)]),
        "images": receipts.image_rows(items, references[len(pieces) : pictures], references[pictures:]),
    }
    return tables, (arrays,) if parts else (), offered


def _prepared(pixels: np.ndarray) -> np.ndarray:
    if pixels.shape != (64, 64):
        raise ValueError(f"a prepared image is [64, 64], not {list(pixels.shape)}")
    return pixels


def _counted(tables: Mapping[str, pa.Table], offered: int) -> Appended:
    timed = [tables[kind] for kind in ("events", "signals", "images")]
    bases: dict[str, int] = {}
    for table in timed:
        for row in pc.value_counts(table["available_basis"]).to_pylist():
            bases[row["values"]] = bases.get(row["values"], 0) + row["counts"]
    return Appended(
        events=tables["events"].num_rows,
        signals=tables["signals"].num_rows,
        images=tables["images"].num_rows,
        rejections=tables["quarantine"].num_rows,
        retractions=tables["retractions"].num_rows,
        links=tables["links"].num_rows,
        duplicates=offered - sum(table.num_rows for table in timed),
        bases=bases,
    )


def publish(root: Path, after: Manifest) -> Manifest:
    """Commit a manifest whose files are written; merges segments where there are many."""
    for kind in SCHEMAS:
        if len(after.of(kind)) > MANY_SEGMENTS:
            after = compacted(root, after, kind)
    for folder in FOLDERS:
        sync_folder(root / folder)
    reached("append.after-segments")
    manifests.write(root, after)
    return after


def compacted(root: Path, manifest: Manifest, kind: str) -> Manifest:
    """The same store with the segments of one kind merged; still to be published."""
    old = manifest.of(kind)
    new = merged(root, kind, f"{manifest.commit:08d}m{len(old)}", old)
    rest = tuple(segment for segment in manifest.segments if segment.kind != kind)
    return replace(manifest, segments=(*rest, *new))
