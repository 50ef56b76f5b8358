"""Which files are FHIR's: by what they begin with; those that broke off before they could say so, by their names."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import IO

from clinical_jepa.sources.fhir.damage import DAMAGE, opened, sound

SUFFIXES = (".ndjson", ".json")
_SAYS_FHIR = re.compile(rb'"resourceType"\s*:\s*"[A-Z]')
_JSON_MEMBER = re.compile(rb"PK\x03\x04.{26}[^\x00]{1,200}?\.(nd)?json", re.DOTALL)  # how a zip of JSON files begins
_HEAD = 1 << 16  # where a resource or bundle must have named its type


def is_fhir(path: Path) -> bool:
    """True for ``.ndjson`` and ``.json`` (also ``.gz``) whose beginning names a resource type, and for a ``.zip`` of such.

    One that cannot be opened, is damaged, or breaks off before it names what it holds counts as such by its name, so that
    reading says what is wrong with it. Sound JSON that names no type is something else's, and so is an empty file.
    """
    name = path.name.removesuffix(".gz")
    try:
        if path.name.endswith(".zip"):
            return _zip_says_fhir(path)
        if not name.endswith(SUFFIXES):
            return False
        with opened(path) as file:
            return _says_fhir(file, name)
    except DAMAGE:
        return True


def _zip_says_fhir(path: Path) -> bool:
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE:
        with path.open("rb") as file:
            return _JSON_MEMBER.match(file.read(_HEAD)) is not None
    with archive:
        for info in archive.infolist():
            if not info.filename.endswith(SUFFIXES):
                continue
            try:
                with archive.open(info) as member:
                    if _says_fhir(member, info.filename):
                        return True
            except DAMAGE:
                return True
    return False


def _says_fhir(file: IO[bytes], name: str) -> bool:
    reader, until = sound(file)
    head = reader.read(_HEAD)
    if until.damage is not None or _SAYS_FHIR.search(head):
        return True
    first = head.strip()
    if name.endswith(".ndjson"):
        first = first.partition(b"\n")[0]
    elif len(head) == _HEAD:
        return False  # a document that goes on, and named no type where it must have
    return bool(first) and not _is_json(first)


def _is_json(raw: bytes) -> bool:
    """Whether bytes are whole JSON, or what other programs write as such (NaN, a byte order mark)."""
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return True
