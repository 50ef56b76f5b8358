"""A store of an older schema version becomes one of this version, in one commit, when it is opened.

Version 1 had no digests of its files, no retractions or links, and (in its first form) no ``record_id``. Its files stay as
they are; the new manifest, which takes the place of the old one at once, says what their bytes must be from then on. A kill
before that leaves the old store.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clinical_jepa.records.errors import BadRequest, BrokenStore
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.files import digest
from clinical_jepa.store.locks import writer_lock
from clinical_jepa.store.manifest import Manifest, Segment
from clinical_jepa.store.segments import SCHEMAS


def migrate(root: Path) -> bool:
    """Whether the store had to be migrated; ``BadRequest`` where it cannot be written, ``BrokenStore`` where it is damaged."""
    if manifests.read_body(root)[0] != 1:
        return False
    try:
        with writer_lock(root):
            version, body = manifests.read_body(root)
            if version != 1:  # another process was faster
                return False
            for folder in SCHEMAS:
                (root / folder).mkdir(exist_ok=True)
            segments = tuple(Segment(**one, digest=_whole(root, one)) for one in body["segments"])
            arrays = {name: _digest(root, name) for name in body["arrays"]}
            files = tuple(body["files"])
            migrated = {**body, "segments": segments, "arrays": arrays, "files": files}
            manifests.write(root, Manifest(**migrated))
    except PermissionError as error:
        raise BadRequest(
            f"{root} is of schema version 1 and has to be migrated, but cannot be written ({error.strerror}); open it "
            "once with the right to write"
        ) from error
    return True


def _whole(root: Path, segment: dict[str, object]) -> str:
    """The digest of a segment of version 1, after all of it was read: its pages carry checksums."""
    path = root / str(segment["name"])
    try:
        rows = pq.ParquetFile(path, page_checksum_verification=True).read().num_rows
    except FileNotFoundError as error:
        raise BrokenStore(f"{path} is missing; the store was not migrated; restore it") from error
    except (OSError, pa.ArrowException) as error:
        raise BrokenStore(f"{path} is damaged ({error}); the store was not migrated; restore it") from error
    if rows != segment["rows"]:
        raise BrokenStore(f"{path} holds {rows} rows, its manifest says {segment['rows']}; the store was not migrated")
    return digest(path)


def _digest(root: Path, name: str) -> str:
    try:
        return digest(root / name)
    except FileNotFoundError as error:
        raise BrokenStore(f"{root / name} is missing; the store was not migrated; restore it") from error
