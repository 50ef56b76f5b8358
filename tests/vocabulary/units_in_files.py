"""Every unit string in the real files, by who wrote it: ``ucum`` (FHIR's system of UCUM), else ``free`` text."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

UCUM = "http://unitsofmeasure.org"
UNIT_COLUMNS = re.compile(
    r"(uom|^unitname|_unit|dose_unit_rx|form_unit_disp|^drugunit|^labmeasurenamesystem)$", re.IGNORECASE
)


def units_in_files(data: Path) -> set[tuple[str, str]]:
    """``(system, as written)`` of every unit in the FHIR, HL7 v2, WFDB and table files of the data folder."""
    return {
        (system, written)
        for found in (_fhir(data), _hl7v2(data), _wfdb(data), _tables(data))
        for system, written in found
        if written
    }


def _fhir(data: Path) -> Iterator[tuple[str, str]]:
    for folder in ("fhir_synthea_r4", "fhir_us_core", "fhir_hl7_examples"):
        for path in sorted((data / folder).rglob("*")):
            for text in _texts(path):
                for line in [text] if text.lstrip()[:1] == b"{" and b"\n{" not in text else text.splitlines():
                    try:
                        yield from _quantities(json.loads(line))
                    except ValueError:
                        continue


def _texts(path: Path) -> Iterator[bytes]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist() if name.endswith(".json"))
    elif path.name.endswith((".json", ".ndjson")):
        yield path.read_bytes()
    elif path.name.endswith((".json.gz", ".ndjson.gz")):
        yield gzip.decompress(path.read_bytes())


def _quantities(body: Any) -> Iterator[tuple[str, str]]:
    if isinstance(body, dict):
        measured = isinstance(body.get("value"), int | float) and isinstance(body.get("code"), str)
        if measured and body.get("system", UCUM) == UCUM:
            yield "ucum", body["code"]
        for part in body.values():
            yield from _quantities(part)
    elif isinstance(body, list):
        for part in body:
            yield from _quantities(part)


def _hl7v2(data: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((data / "hl7v2").glob("*.hl7")):
        for line in re.split(r"[\r\n\x0b]+", path.read_bytes().decode("latin-1")):
            fields = line.split("|")
            if fields[0] == "OBX" and len(fields) > 6:
                yield "free", fields[6].split("^")[0]


def _wfdb(data: Path) -> Iterator[tuple[str, str]]:
    for folder in ("wfdb_samples", "mitdb", "alarms2015", "mimic3_waveforms"):
        for path in sorted((data / folder).rglob("*.hea")):
            lines = [line for line in path.read_text(encoding="latin-1").splitlines() if line[:1] not in ("", "#")]
            for line in lines[1:]:
                if found := re.match(r"\S+ \S+ [-\d.]+(?:\([-\d]+\))?/(\S+)", line):
                    yield "free", found[1]


def _tables(data: Path) -> Iterator[tuple[str, str]]:
    for folder in ("mimic3_demo", "mimic4_demo", "eicu_demo"):
        for path in sorted((data / folder).rglob("*.csv.gz")):
            with gzip.open(path, "rt", encoding="utf-8") as file:
                header = file.readline().strip().replace('"', "").split(",")
            wanted = [name for name in header if UNIT_COLUMNS.search(name) and "stay" not in name]
            if wanted:
                frame = pl.read_csv(path, columns=wanted, infer_schema=False)
                for name in wanted:
                    yield from (("free", unit.strip()) for unit in frame[name].drop_nulls().unique().to_list())
