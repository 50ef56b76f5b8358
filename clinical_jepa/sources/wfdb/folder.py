"""Which WFDB units lie in a folder, and which files decide what is read from each.

Headers are looked at as text here, line by line, so that a damaged one is still found, and refused when it is read.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from clinical_jepa.sources.wfdb import doubt
from clinical_jepa.sources.wfdb import header as headers
from clinical_jepa.sources.wfdb.placing import file_for
from clinical_jepa.vocabulary.identity import content_id

_ORPHANS = (".dat", ".atr", ".qrs", ".al")  # names that only WFDB gives; without a header nothing says what they hold
BESIDE = "~"  # of a record of segments: its annotations, and no segment
_DICOM = (128, b"DICM")


@dataclass(frozen=True)
class _Told:
    """Of some headers: the units, the records that list a header which is no unit, and the files that they name."""

    units: list[Path]
    owners: dict[Path, list[Path]]
    named: set[Path]


def find(root: Path) -> list[Path]:
    """The headers of all top-level records under a folder, in order, then files without one; of a header, its record's.

    A record of segments is one unit; the segments that it lists are none. What may be a segment of a header that cannot be
    read waits for it (``doubt``).
    """
    if root.suffix == ".hea":
        return _record_of(root)
    found = sorted(root.rglob("*.hea"))
    told = _told(found)
    return told.units + (_orphans(root, told.named) if found and root.is_dir() else [])


def _told(found: Iterable[Path]) -> _Told:
    found = list(found)
    named: set[Path] = set()
    owners: dict[Path, list[Path]] = {}
    masters: set[Path] = set()
    for path in found:
        first, names = _names(path)
        named.update(_beside(path, names))
        if "/" in first:
            masters.add(path)
            for inner in _beside(path, [f"{name}.hea" for name in names]):
                owners.setdefault(inner, []).append(path)
    tops = [path for path in found if path not in owners or path in masters]
    units = doubt.waiting(tops, [path for path in tops if doubt.doubtful(path)])
    return _Told(units, {path: owners[path] for path in owners if path not in masters}, named)


def _record_of(header: Path) -> list[Path]:
    """What a folder would give for one of its headers: of a segment, the records that list it."""
    if not header.is_file():
        return [header]
    try:
        return [*_told_beside(header.parent, _stamps(header.parent)).get(header.name, [header])]
    except OSError:
        return [header]  # of a folder that may not be listed


def _stamps(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """The headers of a folder, each with what changes with its bytes and rights."""
    with os.scandir(folder) as entries:
        found = [(one.name, one.stat(follow_symlinks=one.is_file())) for one in entries if one.name.endswith(".hea")]
    return tuple(sorted((name, stat.st_ctime_ns, stat.st_size) for name, stat in found))


@lru_cache(maxsize=8)  # all headers of a folder may be given one by one
def _told_beside(folder: Path, stamps: tuple[tuple[str, int, int], ...]) -> dict[str, list[Path]]:
    told = _told(folder / name for name, *_ in stamps)
    units = {(unit if unit.parent == folder else unit.parent).name: [unit] for unit in told.units}
    return units | {inner.name: owners for inner, owners in told.owners.items()}


def divided(unit: Path) -> list[Path]:
    """A record of segments as what is beside it (``<header>/~``) and each segment (``<header>/<segment>@<start>…``).

    So a record that grows costs what is new of it. The name of a segment's unit says all that the record decides of it:
    its start, its length, and whose it is and when. Any other unit is itself.
    """
    try:
        header = headers.load(unit) if unit.suffix == ".hea" and doubt.awaited(unit) is None else None
    except (headers.BadHeader, OSError):
        return [unit]
    if header is None or not header.master:
        return [unit]
    mark = content_id(header.name, header.rate_hz, header.time, header.date)[:12]
    found, start = [unit / BESIDE], 0
    for name, frames in header.segments:
        if name != "~" and frames:
            found.append(unit / f"{name}@{start}+{frames}-{mark}")
        start += frames
    return found


def whole(unit: Path) -> tuple[Path, str | None, int]:
    """(the header of a unit, the segment it is of or ``BESIDE`` or None, that segment's first frame)."""
    if unit.parent.suffix != ".hea" or unit.parent.is_dir():
        return unit, None, 0
    segment, _, start = unit.name.rpartition("@")
    return unit.parent, segment or BESIDE, int(start.partition("+")[0]) if segment else 0


def _orphans(root: Path, named: set[Path]) -> list[Path]:
    found = (path for path in sorted(root.rglob("*")) if path.suffix in _ORPHANS and path.is_file())
    return [
        path
        for path in found
        if not {path, path.with_suffix("")} & named and not path.with_suffix(".hea").exists() and not _is_dicom(path)
    ]


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(_DICOM[0])
            return file.read(len(_DICOM[1])) == _DICOM[1]
    except OSError:
        return False  # refused by its name


def parts(unit: Path) -> list[Path]:
    """A header with its annotations, the segments and signal files that its lines name, and the site's word on it.

    Of one that waits: the header it waits for, too; ``Unread`` where that cannot be opened.
    """
    if (waits := doubt.awaited(unit)) is not None:
        doubt.opened(*waits)
        return sorted({*parts(waits[0]), waits[1]})
    unit, segment, _ = whole(unit)
    if unit.suffix != ".hea":
        return [unit]
    if segment not in (None, BESIDE):
        inner = unit.with_name(f"{segment}.hea")
        return sorted({*parts(inner), *filter(None, [file_for(unit)])} if inner.exists() else {unit})
    files = {unit, *unit.parent.glob(f"{glob.escape(unit.stem)}.*")}
    site = file_for(unit)
    if site is not None:
        files.add(site)
    for name in _names(unit)[1] if segment is None else ():
        for inner in _beside(unit, [f"{name}.hea"]):
            if inner.is_file():
                files |= {inner, *_beside(inner, _names(inner)[1])}
        files.update(_beside(unit, [name]))
    return sorted(path for path in files if path.is_file())


def _names(header: Path) -> tuple[str, list[str]]:
    """The first word of the record line, and of each line after it."""
    try:
        text = header.read_text(encoding="latin-1")
    except OSError:
        return "", []
    words = [line.split()[0] for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    return (words[0], words[1:]) if words else ("", [])


def _beside(header: Path, names: list[str]) -> list[Path]:
    """The paths of plain file names in the header's folder; what is no plain name leads nowhere."""
    return [header.parent / name for name in dict.fromkeys(names) if not {"/", "\\", "\x00"} & {*name} and name != ".."]
