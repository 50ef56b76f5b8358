"""The data files of ``schemas/``, and a site's own rows over those of ``schemas/codes/``.

A site's folder holds tables of the same names and columns as the shipped ones (``units.csv``, ``fhir.csv``). A row of the
site takes the place of the shipped row with the same key, and keeps its position; other rows come after. What is read
from a table is kept in memory by ``cached``, until another folder is put into use.
"""

from __future__ import annotations

import csv
import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from clinical_jepa.records.errors import BadRequest

# what makes a row of a site the same as a shipped one
KEYS: Mapping[str, tuple[str, ...]] = {
    "variables.csv": ("code",),
    "units.csv": ("from", "to"),
    "unit_rules.csv": ("from", "to", "codes"),
    "annotations.csv": ("annotation",),
    "molar_masses.csv": ("code",),
    "units_met.csv": ("system", "written"),
    "fhir.csv": ("system", "code"),
    "fhir_systems.csv": ("uri",),
    "fhir_channels.csv": ("system", "code"),
    "fhir_fields.csv": ("resource", "field"),
    "fhir_bindings.csv": ("resource", "element", "code"),
    "hl7v2.csv": ("system", "code"),
    "hl7v2_absent.csv": ("text",),
    "hl7v2_charsets.csv": ("name",),
    "hl7v2_systems.csv": ("name",),
    "hl7v2_waves.csv": ("code",),
    "dicom_leads.csv": ("number",),
    "wfdb.csv": ("kind", "name"),
}
_ITEM = ("table", "item", "code")  # of every other table: the code map of a data set
_PACKAGE = Path(__file__).resolve().parent.parent
_F = TypeVar("_F", bound=Callable[..., Any])
_forget: list[Callable[[], None]] = []
_site: list[Path] = []  # at most one


@dataclass(frozen=True)
class Row:
    """One row of a table: its cells by column name, and where it stands, for a message."""

    cells: dict[str, str]
    where: str

    def __getitem__(self, column: str) -> str:
        """The text of a cell, "" where it is empty."""
        return self.cells[column]


def schemas() -> Path:
    """The folder that holds codes/, tasks/ and the contracts: inside the wheel, or beside the package in a checkout."""
    inside = _PACKAGE / "schemas"
    return inside if inside.is_dir() else _PACKAGE.parent / "schemas"


def cached(function: _F) -> _F:
    """``functools.cache`` of what rests on code tables: forgotten when the site's folder changes."""
    return cached_up_to(None)(function)


def cached_up_to(most: int | None) -> Callable[[_F], _F]:
    """The same, which keeps the ``most`` results used last."""

    def decorated(function: _F) -> _F:
        kept = functools.lru_cache(maxsize=most)(function)
        _forget.append(kept.cache_clear)
        return cast("_F", kept)

    return decorated


def when_changed(forget: Callable[[], None]) -> None:
    """Call this whenever other tables are put into use: for what is remembered of them in other ways than ``cached``."""
    _forget.append(forget)


def site_folder() -> Path | None:
    """The site's folder of code tables, if one is in use."""
    return _site[0] if _site else None


def put_into_use(folder: Path | None) -> None:
    """Lay the site's tables over the shipped ones in this process; None: the shipped ones alone.

    ``vocabulary.site.use`` checks them first.
    """
    if folder != site_folder():
        _site[:] = [] if folder is None else [folder]
        for forget in _forget:
            forget()


def rows(name: str) -> list[Row]:
    """The rows of ``codes/name``, the site's over the shipped ones of the same ``key``."""
    found = {key(name, row): row for row in read(schemas() / "codes" / name)}
    folder = site_folder()
    if folder is not None and (folder / name).is_file():
        found |= {key(name, row): row for row in read(folder / name)}
    return list(found.values())


def key(name: str, row: Row) -> tuple[str, ...]:
    """What tells a row of the table ``name`` from its others."""
    return tuple(row[column] for column in KEYS.get(name, _ITEM))


def read(path: Path) -> list[Row]:
    """The rows of one file; ``BadRequest`` names file and line where it is no table."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            return [
                Row(_cells(row, f"{path} line {reader.line_num}"), f"{path} line {reader.line_num}") for row in reader
            ]
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadRequest(f"{path}: not a table of comma-separated UTF-8 text ({error})") from error


def columns(path: Path) -> list[str]:
    """The column names in the first line."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return next(csv.reader(file), [])


@cached
def tables_hash(kind: str, kinds: tuple[str, ...]) -> str:
    """Sixteen hex characters that change with any code table, shipped or the site's, that a source of this kind may read.

    Tables named for another of ``kinds`` (``wfdb.csv`` for FHIR) are left out; what is named for none is shared by all.
    """
    digest = hashlib.blake2b(digest_size=8)
    for folder in (schemas() / "codes", site_folder()):
        for path in [] if folder is None else sorted(folder.glob("*.csv")):
            if path.stem.startswith(kind) or not path.stem.startswith(kinds):
                digest.update(f"{path.name}\x1f".encode() + path.read_bytes() + b"\x1e")
        digest.update(b"\x1d")
    return digest.hexdigest()


def _cells(row: dict[Any, Any], where: str) -> dict[str, str]:
    if None in row or None in row.values():
        raise BadRequest(f"{where}: has more or fewer cells than there are columns; a comma within a cell needs quotes")
    return {column: cell.strip() for column, cell in row.items()}
