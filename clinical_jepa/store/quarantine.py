"""What was refused, with its original bytes: listed, shown, replayed, dropped. Never silently lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.batch import Mode, Rejection, SourceBatch
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.store import writing
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.segments import read_segments, write_segment

if TYPE_CHECKING:
    from clinical_jepa.store.events import Store


def rows(root: Path, manifest: Manifest) -> pa.Table:
    """All refusals (REJECTIONS), oldest first."""
    table = read_segments(root, "quarantine", manifest.of("quarantine"))
    return table.sort_by([("commit", "ascending"), ("rejection_id", "ascending")]).drop_columns(["commit"])


def one(table: pa.Table, rejection_id: str) -> dict[str, Any]:
    """The row of one refusal; ``BadRequest`` where there is none."""
    found = table.filter(pc.equal(table["rejection_id"], rejection_id)).to_pylist()
    if not found:
        raise BadRequest(f"no refusal {rejection_id!r}; see: clinical-jepa quarantine list")
    return dict(found[0])


def dropped(root: Path, manifest: Manifest, rejection_id: str) -> Manifest:
    """The manifest after one refusal was forgotten, published. Under the writer's lock."""
    table = read_segments(root, "quarantine", manifest.of("quarantine"))
    kept = table.filter(pc.not_equal(table["rejection_id"], rejection_id))
    one(table, rejection_id)
    number = manifest.commit + 1
    rest = tuple(segment for segment in manifest.segments if segment.kind != "quarantine")
    mine = (write_segment(root, "quarantine", f"{number:08d}", kept),) if kept.num_rows else ()
    return writing.publish(root, replace(manifest, commit=number, segments=(*rest, *mine)))


def replay(
    store: Store,
    rejection_id: str,
    read: Callable[[Rejection], SourceBatch],
    *,
    mode: Mode,
    now: Callable[[], int],
    prepare: writing.Prepare,
) -> writing.Appended:
    """Reads an original again (``read`` knows its format); the refusal is dropped when nothing of it is refused again."""
    row = store.rejection(rejection_id)
    batch = read(
        Rejection(**{name: row[name] for name in ("source", "file", "record", "reason", "message", "original")})
    )
    added = store.append([batch], mode=mode, now=now, prepare=prepare)
    if not batch.rejections:
        store.drop_rejection(rejection_id)
    return added
