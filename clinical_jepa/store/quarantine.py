"""What was refused, with its original bytes: listed, shown, dropped. Never silently lost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.events import REJECTIONS
from clinical_jepa.store import writing
from clinical_jepa.store.changes import Changes
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.segments import read_kind, write_segment
from clinical_jepa.vocabulary.identity import content_id


def rows(root: Path, manifest: Manifest) -> pa.Table:
    """All refusals (REJECTIONS), oldest first; then the links that cannot be acted upon."""
    table = read_kind(root, manifest, "quarantine")
    table = table.sort_by([("commit", "ascending"), ("rejection_id", "ascending")]).drop_columns(["commit"])
    return pa.concat_tables([table, _circular(Changes(links=read_kind(root, manifest, "links")))])


def _circular(changes: Changes) -> pa.Table:
    """Links that are not acted upon. Which these are is known only from all links together, so it is worked out, not kept."""
    rows = [
        {
            "rejection_id": content_id("circular", link.change_id),
            "source": link.source,
            "file": "",
            "record": link.change_id,
            "reason": "invalid",
            "message": "links subjects in a circle: its survivor belongs to its absorbed; correct the link at its source",
            "received_time": link.available,
        }
        for link in changes.owners.circular
    ]
    return pa.Table.from_pylist(rows, REJECTIONS)


def one(table: pa.Table, rejection_id: str) -> dict[str, Any]:
    """The row of one refusal; ``BadRequest`` where there is none."""
    found = table.filter(pc.equal(table["rejection_id"], rejection_id)).to_pylist()
    if not found:
        raise BadRequest(f"no refusal {rejection_id!r}; see: clinical-jepa quarantine list")
    return dict(found[0])


def dropped(root: Path, manifest: Manifest, ids: Collection[str]) -> Manifest:
    """The manifest after these refusals were forgotten, published; all of them or none. Under the writer's lock."""
    known = rows(root, manifest)
    for rejection_id in ids:
        one(known, rejection_id)
    table = read_kind(root, manifest, "quarantine")
    if set(ids) - set(table["rejection_id"].to_pylist()):
        raise BadRequest(
            "a link that closes a circle stays listed until its source corrects it: it is no refused record"
        )
    kept = table.filter(pc.invert(pc.is_in(table["rejection_id"], pa.array(ids, pa.string()))))
    number = manifest.commit + 1
    rest = tuple(segment for segment in manifest.segments if segment.kind != "quarantine")
    mine = (write_segment(root, "quarantine", f"{number:08d}", kept),) if kept.num_rows else ()
    return writing.publish(root, replace(manifest, commit=number, segments=(*rest, *mine)))
