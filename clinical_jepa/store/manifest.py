"""The manifest: which files make up the store, and how many commits. It is renamed last, so it is the commit itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from clinical_jepa.records.errors import BrokenStore
from clinical_jepa.store.crash_points import reached
from clinical_jepa.store.files import check_of, sync_folder, write_bytes

SCHEMA_VERSION = 3
NAME = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One Parquet file of one kind. Instants in µs; null where the kind has no ``available_time``, or no ``subject_id``."""

    kind: str
    name: str  # "events/00000005.parquet"
    rows: int
    first_commit: int
    last_commit: int
    min_available: int | None
    max_available: int | None
    digest: str  # of its bytes: ``files.digest``
    first_subject: int | None = None
    last_subject: int | None = None

    @property
    def run(self) -> str:
        """What was written together: its segments share no subject."""
        return self.name.removesuffix(".parquet").partition("-")[0]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Immutable; every commit writes a new one. ``clock`` is the newest available time given by a live commit.

    Where files were merged away under a reader, it goes on with newer files and the ``commit`` that it knows: rows of later
    commits lie in them, and are left out.
    """

    commit: int = 0
    clock: int | None = None
    segments: tuple[Segment, ...] = ()
    index: Mapping[str, str] = field(default_factory=dict)  # "index/00000005.npy" and the digest of its bytes

    def names(self) -> set[str]:
        """Every file that belongs to the store, but for arrays: those are in its ``digests``."""
        return {segment.name for segment in self.segments} | set(self.index)

    def rows(self, kinds: Iterable[str]) -> int:
        """How many rows of these kinds there are."""
        wanted = set(kinds)
        return sum(segment.rows for segment in self.segments if segment.kind in wanted)

    def of(self, kind: str, *, after: int = 0) -> list[Segment]:
        """The segments of a kind that hold rows of commits later than ``after``, up to this one."""
        return [
            one
            for one in self.segments
            if one.kind == kind and one.last_commit > after and one.first_commit <= self.commit
        ]


def exists(root: Path) -> bool:
    """Whether ``root`` holds a store."""
    return (root / NAME).is_file()


def read(root: Path) -> Manifest:
    """The newest manifest; ``BrokenStore`` when its bytes are not what was written or of another schema version."""
    version, body = read_body(root)
    if version != SCHEMA_VERSION:
        raise BrokenStore(
            f"{root / NAME} has schema version {version}; this program reads {SCHEMA_VERSION} and migrates older ones when "
            "it opens them; use a newer program"
        )
    segments = tuple(Segment(**segment) for segment in body["segments"])
    return Manifest(**{**body, "segments": segments})


def read_body(root: Path) -> tuple[int, dict[str, Any]]:
    """(schema version, body) of a manifest of any version; ``BrokenStore`` when its bytes are not what was written."""
    try:
        content = json.loads((root / NAME).read_bytes())
        body, check, version = content["body"], content["check"], content["schema_version"]
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenStore(f"{root / NAME} cannot be read ({error}); nothing was changed; restore the file") from error
    if version <= SCHEMA_VERSION and check != _check(version, body):  # how a later one is made, a later program knows
        raise BrokenStore(f"{root / NAME} fails its checksum; nothing was changed; restore the file from a backup")
    return int(version), body


def write(root: Path, manifest: Manifest) -> None:
    """Commit: after this returns the store is what ``manifest`` says, also after a loss of power."""
    body = asdict(manifest)
    content = json.dumps(
        {"schema_version": SCHEMA_VERSION, "check": _check(SCHEMA_VERSION, body), "body": body}
    ).encode()
    reached("append.before-manifest")
    write_bytes(root / NAME, content)
    reached("append.after-manifest")
    sync_folder(root)


def _check(version: Any, body: dict[str, Any]) -> str:
    """Of the body; from version 3 on also of the version, so that a changed one is not taken for an older store."""
    return check_of(body if version in (1, 2) else [version, body])
