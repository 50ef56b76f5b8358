"""One file over HTTP: whole, checked and durable under its name, or not under its name at all. Interrupted, it goes on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from clinical_jepa.intake.door import Broken, Door, Question, Refused, ask, host
from clinical_jepa.intake.spool import adopt


def download(door: Door, url: str, path: Path, expected: str | None) -> str:
    """The SHA-256 of the file at ``url``, now at ``path``.

    What an interruption left (``.NAME.part``) is gone on with where the server can and the file is still the same; else it
    is fetched from its beginning. Bytes that have not the ``expected`` checksum are fetched once more, then refused.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part, tag = (path.with_name(f".{path.name}.{kind}") for kind in ("part", "tag"))
    for _ in range(2):
        _receive(door, url, part, tag, expected)
        digest = sha256(part)
        if expected in (None, digest):
            adopt(part, path)
            tag.unlink(missing_ok=True)
            return digest
        part.unlink()
        tag.unlink(missing_ok=True)
    raise Refused(f"{host(url)} sends bytes that are not those published or first seen; nothing was kept of them", 200)


def sha256(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _receive(door: Door, url: str, part: Path, tag: Path, expected: str | None) -> None:
    """``part`` has all bytes that the server has of the file."""

    def where() -> dict[str, str]:
        had = part.stat().st_size if part.exists() else 0
        same = tag.read_text(encoding="ascii") if tag.exists() else ""
        if not had or not (same or expected):
            return {}
        return {"Range": f"bytes={had}-"} | ({"If-Range": same} if same else {})

    def opens(status: int, headers: Mapping[str, str]) -> BinaryIO:
        if status == 416:
            return open(os.devnull, "wb")
        if status == 206:
            return _further(part, headers)
        if expected is None and "content-length" not in headers and "transfer-encoding" not in headers:
            raise Broken("says neither its length nor its checksum, so that nothing tells whether it is whole")
        tag.write_text(_validator(headers), encoding="ascii")
        return part.open("wb")

    question = Question(url=url, what="file", fine=frozenset({200, 206, 416}), more=where, raw=True, authorised=False)
    answer = ask(door, question, opens)
    if answer.status == 416 and not _complete(part, answer.headers):
        part.unlink(missing_ok=True)
        ask(door, question, opens)


def _further(part: Path, headers: Mapping[str, str]) -> BinaryIO:
    """The end of what is there, where the server sends what comes next; else nothing of it is used."""
    had = part.stat().st_size
    if not headers.get("content-range", "").startswith(f"bytes {had}-"):
        part.unlink()
        raise Broken("is another piece of the file than was asked for")
    return part.open("ab")


def _complete(part: Path, headers: Mapping[str, str]) -> bool:
    size = headers.get("content-range", "").rpartition("/")[2]
    return part.exists() and size == str(part.stat().st_size)


def _validator(headers: Mapping[str, str]) -> str:
    """What tells whether a file is still the same: a strong ETag, else its date."""
    tag = headers.get("etag", "")
    said = headers.get("last-modified", "") if not tag or tag.startswith("W/") else tag
    return said if said.isascii() else ""
