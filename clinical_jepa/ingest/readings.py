"""By which key a reading of a unit is known: its bytes and the way they are read, so that neither is taken twice nor missed."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_jepa.sources import catalog
from clinical_jepa.sources.catalog import Found, Kind
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.growing import growing
from clinical_jepa.sources.program import program_hash
from clinical_jepa.sources.unread import readable
from clinical_jepa.vocabulary.codes import code_map_hash
from clinical_jepa.vocabulary.identity import content_id, subject_id
from clinical_jepa.vocabulary.tables import tables_hash

if TYPE_CHECKING:
    from clinical_jepa.store.events import Store


def reading(found: Found, site: ReadContext, store: Store) -> tuple[str, str | None]:
    """A unit's key, and of a record that has to be read again under another clock than before, the mark of that reading.

    Readings of the same bytes under different offsets are numbered by their marks: one that goes back to an earlier offset is
    a new one, as it takes the place of what came between. By whichever program or settings they were read: what stands in the
    store is there all the same.
    """
    unit, key = _key(found, site)
    if found.kind != "wfdb":
        return key, None
    with readable(found.kind, found.path):
        offset = catalog.clock_offset(found, site)
    marks = (content_id(unit, site.namespace, "reading", number) for number in count(1))
    number, mark = next((number, mark) for number, mark in enumerate(marks) if not store.has_file(mark))
    if number == 0 and offset == 0:
        return key, None
    newest = content_id(key, "reading", number, offset)
    if number and store.has_file(newest):
        return newest, None
    return content_id(key, "reading", number + 1, offset), mark


def _key(found: Found, site: ReadContext) -> tuple[str, str]:
    """What makes this unit the same as another: its bytes and those it refers to; and as one read before: how it is read, too."""
    with readable(found.kind, found.path):
        parts = catalog.parts(found)
        bytes_of = [_digest(path) for path in parts]
        # a record that was read while it was being written is read once more when it has come to rest
        still = ["growing"] if found.kind == "wfdb" and growing(parts, site) else []
    unit = content_id(found.kind, found.path.name, *bytes_of, *still)
    return unit, content_id(unit, *_way(site, found.kind))


def _way(site: ReadContext, kind: Kind) -> tuple[object, ...]:
    """Everything of the site, the code tables and the readers that decides what the same bytes say; the key as a mark."""
    keyed = subject_id("", "", key=site.identity_key)
    delays = sorted(site.delays.items())
    return (
        site.namespace,
        site.stitch_to,
        site.zone.key,
        site.trust_last_updated,
        keyed,
        delays,
        sorted(site.hl7_statuses.items()),
        code_map_hash(),
        tables_hash(kind, catalog.KINDS),
        program_hash(kind),
        *(("strict",) if site.strict else ()),
    )


def _digest(path: Path) -> str:
    state = path.stat()
    return _digested(path, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@lru_cache(maxsize=1 << 17)  # a process that looks again and again reads only what changed
def _digested(path: Path, *state: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
