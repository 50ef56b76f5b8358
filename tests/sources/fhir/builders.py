"""Small FHIR resources and how to read them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from clinical_jepa.records.batch import Rejection, SourceBatch
from clinical_jepa.records.instant import iso
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.fhir import reader

EXAMPLES = Path(reader.__file__).parent / "examples"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"


def quantity(value: object, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def observation(name: str = "o1", code: str = "8867-4", **fields: Any) -> dict[str, Any]:
    """A heart rate of 80 at 09:00, issued 09:05; a field given as None is left out."""
    whole = {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-01-05T09:00:00Z",
        "issued": "2026-01-05T09:05:00Z",
        "valueQuantity": quantity(80, "/min"),
    } | fields
    return {key: value for key, value in whole.items() if value is not None}


def write(folder: Path, name: str, *resources: object) -> Path:
    """An NDJSON file; bytes stand as they are."""
    lines = [one if isinstance(one, bytes) else orjson.dumps(one) for one in resources]
    path = folder / name
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def read(path: Path, **options: Any) -> SourceBatch:
    """All batches of a file, or of every FHIR file below a folder, as one."""
    root = path if path.is_dir() else path.parent
    context = ReadContext(root=root, **options)
    batches = [batch for unit in reader.find(path) for batch in reader.read(unit, context)]
    return SourceBatch(
        events=pa.concat_tables([batch.events for batch in batches]),
        identities=tuple(one for batch in batches for one in batch.identities),
        rejections=tuple(one for batch in batches for one in batch.rejections),
        ignored=dict(sum((Counter(batch.ignored) for batch in batches), Counter())),
        signals=tuple(one for batch in batches for one in batch.signals),
        retractions=tuple(one for batch in batches for one in batch.retractions),
        links=tuple(one for batch in batches for one in batch.links),
    )


def facts(batch: SourceBatch) -> set[tuple[object, ...]]:
    """(code, time, available, basis, value or text, status) of every row, times as text."""
    columns = ("code", "time", "available_time", "available_basis", "numeric_value", "text_value", "status")
    moments = {name: batch.events[name].cast(pa.int64()).to_pylist() for name in ("time", "available_time")}
    rows = {name: moments.get(name) or batch.events[name].to_pylist() for name in columns}
    found = set()
    for code, time, available, basis, value, text, status in zip(*rows.values(), strict=True):
        said = text if value is None else round(value, 3)
        found.add((code, None if time is None else iso(time), iso(available), basis, said, status))
    return found


def refusals(batch: SourceBatch) -> list[tuple[str, str]]:
    return [(one.reason, one.record) for one in batch.rejections]


def only(batch: SourceBatch) -> Rejection:
    (rejection,) = batch.rejections
    return rejection
