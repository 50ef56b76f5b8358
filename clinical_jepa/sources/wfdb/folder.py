"""Which WFDB units lie in a folder, and which files decide what is read from each.

Headers are looked at as text here, line by line, so that a damaged one is still found, and refused when it is read.
"""

from __future__ import annotations

import glob
from pathlib import Path

from clinical_jepa.sources.wfdb.placing import file_for

_ORPHANS = (".dat", ".atr", ".qrs", ".al")  # names that only WFDB gives; without a header nothing says what they hold
_DICOM = (128, b"DICM")


def find(root: Path) -> list[Path]:
    """The headers of all top-level records under a folder (or the header itself), in order, then files without one.

    A record of segments is one unit; the segments that it lists are none.
    """
    headers = [root] if root.suffix == ".hea" else sorted(root.rglob("*.hea"))
    named: set[Path] = set()
    inner: set[Path] = set()
    for path in headers:
        first, names = _names(path)
        named.update(_beside(path, names))
        if "/" in first:
            inner.update(_beside(path, [f"{name}.hea" for name in names]))
    tops = [path for path in headers if path not in inner or "/" in _names(path)[0]]
    return tops + (_orphans(root, named) if headers and root.is_dir() else [])


def _orphans(root: Path, named: set[Path]) -> list[Path]:
    found = (path for path in sorted(root.rglob("*")) if path.suffix in _ORPHANS and path.is_file())
    return [
        path for path in found if path not in named and not path.with_suffix(".hea").exists() and not _is_dicom(path)
    ]


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(_DICOM[0])
        return file.read(len(_DICOM[1])) == _DICOM[1]


def parts(unit: Path) -> list[Path]:
    """A header with its annotations, the segments and signal files that its lines name, and the site's word on it."""
    if unit.suffix != ".hea":
        return [unit]
    files = {unit, *unit.parent.glob(f"{glob.escape(unit.stem)}.*")}
    site = file_for(unit)
    if site is not None:
        files.add(site)
    for name in _names(unit)[1]:
        for segment in _beside(unit, [f"{name}.hea"]):
            if segment.is_file():
                files |= {segment, *_beside(segment, _names(segment)[1])}
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
