"""A site that becomes strict has its files read again; what was refused then is in quarantine."""

from __future__ import annotations

from pathlib import Path

import orjson

from clinical_jepa.store.events import Store
from tests.ingest.builders import run


def test_a_stricter_reading_is_another_reading(tmp_path: Path) -> None:
    body = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-01-05T09:00:00Z",
        "issued": "2026-01-05T09:05:00Z",
        "valueQuantity": {"value": 80, "system": "http://unitsofmeasure.org", "code": "/min"},
        "note": {"text": "no list, as FHIR wants one"},
    }
    root = tmp_path / "sources"
    root.mkdir()
    (root / "Observation.ndjson").write_bytes(orjson.dumps(body) + b"\n")
    store = Store.open(tmp_path / "store", create=True)
    assert run(root, store).total.events == 1
    assert run(root, store).total.skipped == 1
    again = run(root, store, strict=True)
    assert (again.total.skipped, again.total.events, again.reasons) == (0, 0, {"invalid": 1})
