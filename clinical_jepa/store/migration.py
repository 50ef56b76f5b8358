"""A store of an older schema version becomes one of this version, in one commit, when it is opened.

Version 1 had no digests of its files, no retractions or links, and (in its first form) no ``record_id``. Version 2 had no
index of its rows, and kept the hashes of what was ingested in its manifest. Their files stay as they are; the new manifest,
which takes the place of the old one at once, says what their bytes must be from then on. A kill before that leaves the old
store.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clinical_jepa.records.errors import BadRequest, BrokenStore
from clinical_jepa.store import index, merging, writing
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.files import digest, sync_folder, unreadable
from clinical_jepa.store.index import Index, Keys
from clinical_jepa.store.locks import writer_lock
from clinical_jepa.store.manifest import SCHEMA_VERSION, Manifest, Segment
from clinical_jepa.store.segments import DIGESTS, SHARED, TIMED, UNITS, read_segments, with_commit, write_segment


def migrate(root: Path) -> bool:
    """Whether the store had to be migrated; ``BrokenStore`` where it is damaged.

    ``BadRequest`` where this user may not read and write it.
    """
    found = manifests.read_body(root)[0]
    if not 0 < found < SCHEMA_VERSION:
        return False
    try:
        with writer_lock(root):
            version, body = manifests.read_body(root)
            if version >= SCHEMA_VERSION:  # another process was faster
                return False
            for folder in writing.FOLDERS:
                (root / folder).mkdir(exist_ok=True)
            migrated = _indexed(root, _second(root, body) if version == 1 else body)
            for folder in writing.FOLDERS:
                sync_folder(root / folder)
            manifests.write(root, migrated)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise BadRequest(
            f"{root} is of schema version {found} and has to be migrated, but {error.filename or root} may not be read or "
            f"written ({error.strerror}); nothing was changed; open it once with the right to do both"
        ) from error
    return True


def _second(root: Path, body: dict[str, Any]) -> dict[str, Any]:
    """The body of version 1 as one of version 2: all bytes are read, and known from then on."""
    segments = [{**one, "digest": _whole(root, one)} for one in body["segments"]]
    return {**body, "segments": segments, "arrays": {name: _digest(root, name) for name in body["arrays"]}}


def _indexed(root: Path, body: dict[str, Any]) -> Manifest:
    """The manifest of version 3: every row is read once for the index."""
    segments = tuple(Segment(**one) for one in body["segments"])
    after = Manifest(commit=body["commit"], clock=body["clock"], segments=())
    pairs = [np.zeros((0, 2), np.int64)]
    for number, old in enumerate(segments):
        segment = old
        if old.kind in TIMED:
            segment, keys = _keyed(root, old)
            found = Index(root=root, files=after.index).look(keys).pairs
            pairs += [found, index.inside(keys)[1]]
            name = f"{index.FOLDER}/{after.commit:08d}v{number:05d}.npy"
            index.write(root, name, keys)
            after = merging.index_tidied(root, replace(after, index={**after.index, name: digest(root / name)}))
        after = replace(after, segments=(*after.segments, segment))
    said = {
        "shared": pa.table(list(np.unique(np.concatenate(pairs), axis=0).T), SHARED),
        "units": pa.table([body["files"]], UNITS),
        "digests": pa.table([list(body["arrays"]), list(body["arrays"].values())], DIGESTS),
    }
    new = [
        write_segment(root, kind, f"{after.commit:08d}v", with_commit(table, after.commit))
        for kind, table in said.items()
        if table.num_rows
    ]
    return replace(after, segments=(*after.segments, *new))


def _keyed(root: Path, segment: Segment) -> tuple[Segment, Keys]:
    """(the segment with the reach of its subjects, what the index says of its rows)."""
    table = read_segments(root, segment.kind, [segment], columns=["subject_id", "event_id", "fact_id"])
    reach = pc.min_max(table["subject_id"]).as_py()
    return replace(segment, first_subject=reach["min"], last_subject=reach["max"]), Keys.of(table)


def _whole(root: Path, segment: dict[str, object]) -> str:
    """The digest of a segment of version 1, after all of it was read: its pages carry checksums."""
    path = root / str(segment["name"])
    try:
        rows = pq.ParquetFile(path, page_checksum_verification=True).read().num_rows
    except FileNotFoundError as error:
        raise BrokenStore(f"{path} is missing; the store was not migrated; restore it") from error
    except PermissionError as error:
        raise unreadable(path) from error
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
