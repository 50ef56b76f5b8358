"""The manifest of a bulk export, and whether an NDJSON file is what the manifest says."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

import orjson

Section = Literal["output", "deleted", "error"]
_HOLDS: dict[str, str] = {"deleted": "Bundle", "error": "OperationOutcome"}


@dataclass(frozen=True, kw_only=True)
class Named:
    """One file of a manifest. ``type`` is what its lines should be; ``count`` how many, where that is said."""

    section: Section
    type: str
    url: str
    count: int | None

    @property
    def kind(self) -> str:
        """How its file is called: readers look up patients and encounters by type, deletions come last."""
        return self.type if self.section == "output" else self.section


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """``odd`` counts entries without an address."""

    transaction_time: str
    needs_token: bool
    files: tuple[Named, ...]
    odd: int


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is in a file. ``broken`` lines are no JSON object, ``strange`` ones of another type than announced; ``cut``: the
    last line is broken.
    """

    lines: int
    broken: int
    cut: bool
    strange: int
    codes: tuple[str, ...]
    digest: str
    packed: bool

    def problem(self, named: Named) -> str:
        """What is to be said of it, without any content; empty for a file as announced."""
        said = []
        if named.count is not None and named.count != self.lines:
            said.append(f"{self.lines} lines instead of {named.count}")
        if self.broken:
            said.append(f"{self.broken} lines that are no JSON: ingest quarantines them")
        if self.strange:
            said.append(f"{self.strange} lines of another type")
        return f"{named.kind} file: {', '.join(said)}" if said else ""


def is_manifest(body: bytes) -> bool:
    """True for one whole JSON object with the time that the next export begins at, and a list of files."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return (
        isinstance(said, dict) and isinstance(said.get("transactionTime"), str) and isinstance(said.get("output"), list)
    )


def manifest(body: bytes) -> Manifest:
    """The manifest in ``body``, which ``is_manifest``. Errors are called ``outcome`` by the newest servers."""
    said = orjson.loads(body)
    sections: list[tuple[Section, list[Any]]] = [
        ("output", said["output"]),
        ("error", _list(said.get("error")) + _list(said.get("outcome"))),
        ("deleted", _list(said.get("deleted"))),
    ]
    files, odd = [], 0
    for section, entries in sections:
        for entry in entries:
            url = entry.get("url") if isinstance(entry, dict) else None
            if not isinstance(url, str):
                odd += 1
                continue
            kind, count = _HOLDS.get(section) or str(entry.get("type", "")), entry.get("count")
            count = count if isinstance(count, int) else None
            files.append(Named(section=section, type=kind, url=url, count=count))
    return Manifest(
        transaction_time=said["transactionTime"],
        needs_token=said.get("requiresAccessToken") is not False,
        files=tuple(files),
        odd=odd,
    )


def look(path: Path, named: Named) -> Look | None:
    """Line by line, so that memory does not grow with the file; None for a gzip file that ends too early."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    lines = broken = strange = 0
    kind: str | None = ""
    codes: set[str] = set()
    try:
        for line in _lines(path, packed=packed):
            lines += 1
            kind, said = _type(line)
            broken += kind is None
            strange += kind is not None and bool(named.type) and kind != named.type
            codes |= said
    except (OSError, EOFError, zlib.error):
        return None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=10)).hexdigest()
    return Look(
        lines=lines,
        broken=broken,
        cut=kind is None,
        strange=strange,
        codes=tuple(sorted(codes)),
        digest=digest,
        packed=packed,
    )


def _lines(path: Path, *, packed: bool) -> Iterator[bytes]:
    with cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb") as file:
        for line in file:
            if line.strip():
                yield line


def _type(line: bytes) -> tuple[str | None, set[str]]:
    """The resource type of a line, and the issue codes of an OperationOutcome."""
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None, set()
    if not isinstance(body, dict):
        return None, set()
    issues = _list(body.get("issue")) if body.get("resourceType") == "OperationOutcome" else []
    codes = {str(issue.get("code", ""))[:40] for issue in issues if isinstance(issue, dict)}
    return str(body.get("resourceType", "")), {code for code in codes if code.replace("-", "").isalpha()}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
