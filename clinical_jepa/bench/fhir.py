"""FHIR NDJSON: our reading, units and identities included, against full validation and against bare parsing of the same file.

All three run in turn on one core, and the fastest round of each counts, so that other work on the machine weighs on none.
"""

from __future__ import annotations

import gzip
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from clinical_jepa.bench.figure import Figure
from clinical_jepa.simulate.ward import simulate
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.fhir import reader

ROUNDS = 7
EVERY = 20  # of how many Observations one is validated: all of them take long, and each takes the same
VALIDATION, BARE = 20.0, 0.3
_KINDS = ("Observation", "Patient")


def run(folder: Path) -> list[Figure]:
    """The two ratios on the Observations of every Bundle below ``folder`` (``.json.gz``), written as one bulk export.

    Where ``folder`` is empty, those of a simulated ward's charts are measured.
    """
    with tempfile.TemporaryDirectory() as name:
        path = export(folder, Path(name)) if any(folder.iterdir()) else _simulated(folder)
        lines = path.read_bytes().splitlines()
        context = ReadContext(root=path.parent)
        seconds = _fastest(
            {
                "ours": lambda: list(reader.read(path, context)),
                "bare": lambda: extracted(path),
                "validated": lambda: validated(lines[::EVERY]),
            }
        )
        rows = sum(batch.events.num_rows for batch in reader.read(path, context))
    count, sampled = len(lines), len(lines[::EVERY])
    per = {
        "ours": seconds["ours"] / count,
        "bare": seconds["bare"] / count,
        "validated": seconds["validated"] / sampled,
    }
    detail = f"{count} Observations, {rows} rows; {1 / per['ours']:.0f}/s against "
    return [
        Figure(
            name="FHIR NDJSON against fhir.resources' validation",
            ratio=per["validated"] / per["ours"],
            limit=VALIDATION,
            at_least=True,
            detail=detail + f"{1 / per['validated']:.0f}/s",
        ),
        Figure(
            name="FHIR NDJSON against bare orjson and extraction",
            ratio=per["bare"] / per["ours"],
            limit=BARE,
            at_least=True,
            detail=detail + f"{1 / per['bare']:.0f}/s",
        ),
    ]


def _simulated(folder: Path) -> Path:
    simulate(folder, subjects=0, records_only=60, hours=48, seed=7)
    return folder / "ward" / "fhir" / "Observation.ndjson"


def export(folder: Path, out: Path) -> Path:
    """``Observation.ndjson`` in ``out``, the Patients beside it."""
    files = {kind: (out / f"{kind}.ndjson").open("wb") for kind in _KINDS}
    try:
        for body in _resources(folder):
            if body["resourceType"] in files:
                files[body["resourceType"]].write(orjson.dumps(body) + b"\n")
    finally:
        for file in files.values():
            file.close()
    return out / "Observation.ndjson"


def extracted(path: Path) -> list[tuple[Any, ...]]:
    """The peer that does nothing else: the same fields out of the same file, unchecked and unconverted."""
    rows = []
    with path.open("rb") as file:
        for line in file:
            body = orjson.loads(line)
            coding, quantity = body["code"]["coding"][0], body.get("valueQuantity") or {}
            rows.append(
                (
                    *(body["id"], body["status"], body["subject"]["reference"], body["encounter"]["reference"]),
                    *(coding["system"], coding["code"], body.get("effectiveDateTime"), body.get("issued")),
                    *(quantity.get("value"), quantity.get("code")),
                )
            )
    return rows


def validated(lines: list[bytes]) -> list[Any]:
    """The peer that checks everything."""
    from fhir.resources.R4B.observation import Observation

    return [Observation.model_validate(orjson.loads(line)) for line in lines]


def _resources(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("*.json.gz")):
        for entry in orjson.loads(gzip.decompress(path.read_bytes())).get("entry", ()):
            yield entry["resource"]


def _fastest(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """CPU seconds of the fastest round of each; the first round, which loads what a way needs, does not count."""
    best = dict.fromkeys(ways, float("inf"))
    for number in range(ROUNDS + 1):
        for name, way in ways.items():
            begun = time.process_time()
            way()
            if number:
                best[name] = min(best[name], time.process_time() - begun)
    return best
