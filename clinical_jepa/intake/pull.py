"""A whole data set into a folder, from its publisher or from another folder; every file checked, none fetched twice.

``PULLED.sha256`` in the folder says what came (``sha256sum -c PULLED.sha256`` checks it again). Where no checksum was
known beforehand it is also what was trusted on first sight: other bytes under a known name are refused from then on.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from clinical_jepa.intake.datasets import DataSet, listed, safe
from clinical_jepa.intake.door import Door, Refused
from clinical_jepa.intake.download import download, sha256
from clinical_jepa.intake.spool import adopt
from clinical_jepa.records.errors import BadRequest, FetchFailed
from clinical_jepa.store.files import sync_folder

RECORD = "PULLED.sha256"
_LISTS = ("SHA256SUMS.txt", "SHA256SUMS")

Progress = Callable[[int, int], None]


@dataclass(kw_only=True)
class Pulled:
    """``files`` are new here, ``kept`` were here and are as they should be. ``missing``: named, and not to be had.

    ``trusted`` files had no checksum that was known beforehand: the publisher's list, or the first sight, was believed.
    """

    files: int = 0
    kept: int = 0
    trusted: int = 0
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def pull(door: Door, wanted: DataSet, to: Path, tell: Progress = lambda done, total: None) -> Pulled:
    """The set from its publisher. A file that cannot be had costs that file; a publisher that is gone costs the rest."""
    to.mkdir(parents=True, exist_ok=True)
    known = _record(to)
    report = Pulled()
    sums = dict(wanted.sha256)
    if wanted.list:
        _list(door, wanted, to, known)
        sums = _agreed(wanted, (to / wanted.list).read_text(encoding="utf-8", errors="replace"), report)
    for number, (name, expected) in enumerate(sums.items(), start=1):
        report.trusted += name not in wanted.sha256
        if (to / name).is_file() and sha256(to / name) == expected:
            report.kept += 1
        else:
            try:
                download(door, wanted.base + quote(name), to / name, expected)
                report.files += 1
            except Refused as error:
                report.problems.append(f"{name}: {error}")
                continue
        _remember(to, name, expected, known)
        tell(number, len(sums))
    return report


def copy(wanted: DataSet, source: Path, to: Path, tell: Progress = lambda done, total: None) -> Pulled:
    """The set from a folder that has it, or parts of it. A file whose bytes are not those published is left behind, and said.

    Files that the publisher does not compress may lie there as ``.gz``: what they hold is checked, and they stay as they are.
    """
    if not source.is_dir():
        raise BadRequest(f"there is no folder {source}; nothing was copied")
    to.mkdir(parents=True, exist_ok=True)
    known, report = _record(to), Pulled()
    sums = _found(wanted, source, report)
    for number, (name, expected) in enumerate(sums.items(), start=1):
        _copy_one(name, expected or known.get(name), source, to, report)
        _remember_copied(to, name, known)
        report.trusted += name not in wanted.sha256
        tell(number, len(sums))
    if not report.files and not report.kept:
        raise BadRequest(f"{source} holds no file of {wanted.name} ({wanted.title}); nothing was copied")
    return report


def _list(door: Door, wanted: DataSet, to: Path, known: dict[str, str]) -> None:
    """The publisher's list, in the folder: the one that was seen first."""
    path, first = to / wanted.list, known.get(wanted.list)
    if first is None or not path.is_file() or sha256(path) != first:
        _remember(to, wanted.list, download(door, wanted.base + wanted.list, path, first), known)


def _agreed(wanted: DataSet, text: str, report: Pulled) -> dict[str, str]:
    """What the publisher lists, as far as it is taken; where it contradicts what was known beforehand, that is said."""
    sums = dict(wanted.sha256)
    for name, digest in listed(text):
        if not wanted.takes(name):
            continue
        if not safe(name):
            report.problems.append("the publisher's list names a file outside the folder; it was not asked for")
        elif sums.setdefault(name, digest) != digest:
            report.problems.append(f"{name}: the publisher's list has another checksum than the one known beforehand")
            del sums[name]
    plain = {pattern for pattern in wanted.take if not set(pattern) & set("*?[")}
    report.problems += [f"{name}: not in the publisher's list" for name in sorted(plain - set(sums))]
    if not sums:
        raise FetchFailed(f"the publisher's list of {wanted.name} names no file that is wanted")
    return sums


def _found(wanted: DataSet, source: Path, report: Pulled) -> dict[str, str | None]:
    """Which files to look for in a folder, and their checksums: known beforehand, else of the folder's own list."""
    sums: dict[str, str | None] = dict(wanted.sha256)
    for list_ in _LISTS:
        if (source / list_).is_file():
            for name, digest in listed((source / list_).read_text(encoding="utf-8", errors="replace")):
                if safe(name) and wanted.takes(name):
                    sums.setdefault(name, digest)
    if wanted.take:
        for path in sorted(source.rglob("*")):
            name = path.relative_to(source).as_posix()
            if path.is_file() and wanted.takes(name):
                sums.setdefault(name, None)
    return sums


def _copy_one(name: str, expected: str | None, source: Path, to: Path, report: Pulled) -> None:
    for place, packed in ((source / name, False), (source / Path(name).name, False), (source / f"{name}.gz", True)):
        if not place.is_file():
            continue
        target = to / (f"{name}.gz" if packed else name)
        content = _unpacked(place) if packed else sha256(place)
        if expected not in (None, content):
            report.problems.append(f"{name}: the bytes in the folder are not those published; left behind")
            return
        if target.is_file() and sha256(target) == sha256(place):
            report.kept += 1
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        shutil.copyfile(place, part)
        adopt(part, target)
        report.files += 1
        return
    report.missing.append(name)


def _unpacked(path: Path) -> str:
    """The SHA-256 of what a gzip file holds; empty where it is damaged."""
    digest = hashlib.sha256()
    try:
        with gzip.open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except (OSError, EOFError, zlib.error):
        return ""
    return digest.hexdigest()


def _record(to: Path) -> dict[str, str]:
    """What came before, by name. A line that a kill cut in half is no line."""
    path = to / RECORD
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    if not text.endswith("\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
    return dict(listed(text))


def _remember_copied(to: Path, name: str, known: dict[str, str]) -> None:
    for one in (name, f"{name}.gz"):
        if (to / one).is_file():
            _remember(to, one, sha256(to / one), known)


def _remember(to: Path, name: str, digest: str, known: dict[str, str]) -> None:
    """One line more in the record, durable."""
    if known.get(name) == digest:
        return
    known[name] = digest
    with (to / RECORD).open("a", encoding="utf-8") as file:
        file.write(f"{digest}  {name}\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(to)
