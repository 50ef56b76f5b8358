"""The program text that decides what is read of a kind of source, as a digest: another may read the same bytes otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

from clinical_jepa.sources.catalog import KINDS, Kind
from clinical_jepa.sources.tables.data_sets import DATA_SETS

_PACKAGE = Path(__file__).parent.parent
_BELOW = ("records", "vocabulary")  # the rooms that sources are built on
_SILENT = (Path("sources/others.py"), Path("sources/program.py"))  # nothing that is read comes through them


@cache
def program_hash(kind: Kind, package: Path = _PACKAGE) -> str:
    """32 hex characters of every module that a reader of this kind is made of: its own, the shared ones, the rooms below.

    Libraries are not part of it: a new release of one reads no unit again. Of a package that was installed without its text
    (compiled alone, or in a zip file), its release stands for it.
    """
    found = hashlib.blake2b(digest_size=16)
    modules = list(_modules(kind, package))
    if not modules:
        found.update(version("clinical-jepa").encode())
    for path in modules:
        found.update(f"{path.relative_to(package).as_posix()}\0{path.stat().st_size}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def _modules(kind: Kind, package: Path) -> Iterator[Path]:
    strangers = {_folder(other) for other in KINDS} - {_folder(kind)}
    for room in ("sources", *_BELOW):
        for path in sorted((package / room).rglob("*.py")):
            strange = room == "sources" and path.relative_to(package / room).parts[0] in strangers
            if not strange and path.relative_to(package) not in _SILENT:
                yield path


def _folder(kind: Kind) -> str:
    """Of a kind's modules below ``sources``."""
    return "tables" if kind in DATA_SETS else kind
