"""A site's own code tables: checked whole, then laid over the shipped ones (``tables``).

What is wrong is said with file and line before anything is read by it; nothing is taken of a folder that has a fault.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from pathlib import Path

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.vocabulary import tables
from clinical_jepa.vocabulary.tables import Row

_DATA_SETS = ("cinc2012.csv", "cinc2019.csv", "eicu.csv", "meds.csv", "mimic3.csv", "mimic4.csv")
_NUMBERS = {
    "variables.csv": ("low", "high"),
    "units.csv": ("factor", "offset"),
    "unit_rules.csv": ("factor", "offset"),
    "molar_masses.csv": ("g_per_mol", "valence"),
    "fhir_channels.csv": ("low", "high"),
    "hl7v2_waves.csv": ("rank", "low", "high"),
    "dicom_leads.csv": ("rank",),
    "wfdb.csv": ("rank", "low", "high"),
} | dict.fromkeys(_DATA_SETS, ("low", "high"))
_NEEDED = {
    "units.csv": ("from", "to", "factor", "offset"),
    "unit_rules.csv": ("from", "to", "factor", "offset", "codes"),
}
_CODES = {
    "fhir.csv": "canonical",
    "hl7v2.csv": "canonical",
    "unit_rules.csv": "codes",
    "annotations.csv": "codes",
    "molar_masses.csv": "code",
}
_KINDS = frozenset({"vital", "lab", "measure", "monitor", "treatment", "alarm", "stay", "static", "condition"})


def use(folder: Path | None) -> None:
    """Put the folder's tables into use in this process; ``BadRequest`` names every fault by file and line."""
    if folder is None:
        tables.put_into_use(None)
        return
    found = faults(folder)
    if found:
        raise BadRequest("site.codes: " + "\n  ".join([f"{len(found)} faults in {folder}", *found[:20]]))
    tables.put_into_use(folder.resolve())


def faults(folder: Path) -> list[str]:
    """What is wrong with the tables of a folder, each with file and line; empty where nothing is."""
    if not folder.is_dir():
        return [f"{folder} is no folder; give one with tables like units.csv, or leave site.codes out"]
    files = sorted(path for path in folder.iterdir() if path.suffix == ".csv")
    listed = {row["code"] for row in tables.read(tables.schemas() / "codes" / "variables.csv")}
    found: list[str] = []
    for path in sorted(files, key=lambda path: path.name != "variables.csv"):  # the others refer to it
        try:
            found += _form(path)
            rows = [] if found else tables.read(path)
        except BadRequest as error:
            found.append(str(error))
            continue
        if path.name == "variables.csv":
            listed |= {row["code"] for row in rows}
        found += [f"{row.where}: {fault}" for row in rows for fault in _faults(path.name, row, listed)]
        found += _twice(path.name, rows)
    return found


def _form(path: Path) -> list[str]:
    shipped = tables.schemas() / "codes" / path.name
    if not shipped.is_file():
        names = sorted(one.name for one in shipped.parent.glob("*.csv"))
        near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.3)
        return [f"{path}: there is no table of this name" + (f"; did you mean {near[0]}?" if near else "")]
    if tables.columns(path) != tables.columns(shipped):
        return [f"{path} line 1: the columns are {','.join(tables.columns(shipped))}"]
    return []


def _faults(name: str, row: Row, listed: set[str]) -> Iterator[str]:
    for column in _NUMBERS.get(name, ()):
        text = row[column]
        if text and not _number(text):
            yield f"{column} is a number, not {text!r}"
            return
    for column in _NEEDED.get(name, ()):
        if not row[column]:
            yield f"{column} is empty"
    unknown = [code for code in row[_CODES[name]].split() if code not in listed] if name in _CODES else []
    if unknown:
        near = difflib.get_close_matches(unknown[0], sorted(listed), n=1)
        yield f"{unknown[0]} is not in variables.csv" + (f"; did you mean {near[0]}?" if near else "")
    if name == "variables.csv":
        yield from _variable(row, listed)


def _variable(row: Row, listed: set[str]) -> Iterator[str]:
    if row["kind"] not in _KINDS:
        yield f"kind is one of {', '.join(sorted(_KINDS))}, not {row['kind']!r}"
    if row["low"] and row["high"] and not float(row["low"]) < float(row["high"]):
        yield "low is not below high"
    if row["parent"] and row["parent"] not in listed:
        yield f"parent {row['parent']} is not in variables.csv"


def _number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _twice(name: str, rows: list[Row]) -> Iterator[str]:
    seen: dict[tuple[str, ...], str] = {}
    for row in rows:
        mark = tables.key(name, row)
        if mark in seen:
            yield f"{row.where}: {', '.join(mark)} was said already in {seen[mark].rpartition(' line ')[2]}"
        seen.setdefault(mark, row.where)
