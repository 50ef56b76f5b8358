"""Files at or below a folder that no reader takes, so that they are named instead of passed over in silence.

Not among them is what comes with data: hidden files, what a data set says of itself (read-me and licence files, lists of its
records, check sums, indexes), what the site says of its files, and what ``fetch`` and ``pacs`` keep in a spool. These are
known by their names alone. A link to a folder is not followed when units are looked for, and is named.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from clinical_jepa.sources import catalog
from clinical_jepa.sources.catalog import Found, Kind
from clinical_jepa.vocabulary.identity import printable

_WITH_DATA = re.compile(
    r"(readme|licen[cs]e|copying|notice|citation|changelog|changes)([-_][\w-]+)?(\.(txt|md|rst|html?|cff))?"
    r"|(records|annotators|alarms|(sha\d+|md5)sums)(-\w+)?(\.txt)?|.*\.(sha\d+|md5|part)"
    r"|manifest(\.(txt|tsv|json|xml))?|index\.(tsv|html?)|dicomdir|subject_splits\.parquet"
    r"|dicom-site\.csv|wfdb_records\.csv|fetch\.lock|state\.sqlite(-\w+)?|cursor\.json|\..*",
    re.IGNORECASE | re.DOTALL,
)
_ALONE: tuple[Kind, ...] = ("fhir", "dicom")  # what a unit of these rests on is another one, or known by its name


@dataclass(frozen=True, kw_only=True)
class Others:
    """``files``, and links to folders, that no reader takes; ``closed`` folders, into which nobody could look.

    All as seen from the root, in order.
    """

    files: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()

    def __add__(self, other: Others) -> Others:
        return Others(files=self.files + other.files, closed=self.closed + other.closed)


def others(root: Path, found: Iterable[Found], apart: Path | None = None) -> Others:
    """What lies at or below ``root`` beside the units that were ``found`` there; ``apart`` is a folder of our own."""
    if not root.is_dir():
        return Others()
    closed: list[Path] = []
    left: set[Path] = set()
    links: list[Path] = []
    for folder, below, names in os.walk(root, onerror=lambda error: closed.append(Path(error.filename))):
        home = Path(folder)
        below[:] = [name for name in below if not name.startswith(".") and not _same(home / name, apart)]
        links.extend(home / name for name in below if (home / name).is_symlink())
        left.update(home / name for name in names if _WITH_DATA.fullmatch(name) is None)
    units = list(found)
    left.difference_update(one.path for one in units)
    records = {one.path.with_suffix("") for one in units if one.kind == "wfdb"}
    left = {path for path in left if path.with_suffix("") not in records}  # its parts, too, and cheaper told
    for one in units:
        if one.kind in _ALONE:
            continue
        if not left:
            break
        left.difference_update(_files(one))
    left.update(
        link for link in links if not link.resolve().is_relative_to(root.resolve())
    )  # else it is read in its place
    return Others(files=_named(root, left), closed=_named(root, closed))


def _files(found: Found) -> list[Path]:
    """A unit's files, as far as they can be told."""
    path = found.path if found.path.exists() else found.path.parent  # a part of a record is named below its header
    try:
        return catalog.parts(replace(found, path=path))
    except OSError:
        return [path]


def _same(folder: Path, apart: Path | None) -> bool:
    return apart is not None and folder.name == apart.name and folder.resolve() == apart.resolve()


def _named(root: Path, paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(printable(path.relative_to(root).as_posix()) for path in sorted(paths))
