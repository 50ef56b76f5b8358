"""Resources out of files, one by one: NDJSON lines, Bundle entries, single resources; plain or gzip."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import orjson

Json = dict[str, Any]  # one JSON object

_SUFFIXES = (".ndjson", ".json")
_SAYS_FHIR = re.compile(rb'"resourceType"\s*:\s*"[A-Z]')
_HEAD = 1 << 16  # where a resource or bundle must have named its type


@dataclass(frozen=True, kw_only=True)
class Item:
    """One resource with its place and bytes, or (``body`` None) the reason why there is none."""

    record: str
    body: Json | None
    original: bytes | None = None
    problem: str = ""


def is_fhir(path: Path) -> bool:
    """True for a ``.ndjson`` or ``.json`` file (also ``.gz``) whose beginning names a resource type."""
    if not path.name.removesuffix(".gz").endswith(_SUFFIXES):
        return False
    try:
        with _open(path) as file:
            return _SAYS_FHIR.search(file.read(_HEAD)) is not None
    except (OSError, EOFError, zlib.error):
        return False


def items(path: Path) -> Iterator[Item]:
    """Every resource of a file in order. A broken line costs that line; a broken end costs the end."""
    with _open(path) as file:
        yield from _lines(file) if ".ndjson" in path.name else _document(file)


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.name.endswith(".gz") else path.open("rb")


def _lines(file: Iterable[bytes]) -> Iterator[Item]:
    number = 0
    try:
        for number, line in enumerate(file, start=1):
            raw = line.strip()
            if raw:
                yield from _parsed(raw, f"line {number}")
    except (OSError, EOFError, zlib.error) as error:
        problem = f"the file ends early after line {number} ({type(error).__name__}); send it again whole"
        yield Item(record=f"after line {number}", body=None, problem=problem)


def _document(file: IO[bytes]) -> Iterator[Item]:
    try:
        raw = file.read()
    except (OSError, EOFError, zlib.error) as error:
        problem = f"the file cannot be decompressed to its end ({type(error).__name__}); send it again whole"
        yield Item(record="file", body=None, problem=problem)
        return
    yield from _parsed(raw, "file")


def _parsed(raw: bytes, record: str) -> Iterator[Item]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        problem = f"no valid JSON at character {error.pos} of the {record}: mend or drop it and ingest the file again"
        yield Item(record=record, body=None, original=raw, problem=problem)
        return
    if not isinstance(body, dict):
        yield Item(record=record, body=None, original=raw, problem="JSON, but not an object: no FHIR resource")
    elif body.get("resourceType") == "Bundle":
        yield from _entries(body, record)
    else:
        yield Item(record=record, body=body, original=raw)


def _entries(bundle: Json, record: str) -> Iterator[Item]:
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        yield Item(record=record, body=None, problem="a Bundle whose entry is not a list")
        return
    for number, entry in enumerate(entries, start=1):
        place = f"{record} entry {number}"
        body = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(body, dict):
            yield Item(
                record=place, body=None, original=orjson.dumps(entry), problem="a Bundle entry without a resource"
            )
            continue
        body.setdefault(
            "id", str(entry.get("fullUrl", "")).rpartition(":" if "urn:" in str(entry.get("fullUrl")) else "/")[2]
        )
        yield Item(record=place, body=body, original=orjson.dumps(body))
