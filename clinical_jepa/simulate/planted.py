"""A few bad records, planted on purpose, so that a quarantine has something to hold. Listed in the truth."""

from __future__ import annotations

from typing import Any

from clinical_jepa.simulate import fhir_resources as fhir
from clinical_jepa.simulate.charting import Written
from clinical_jepa.simulate.config import MONITORED, SimulateConfig, identifier
from clinical_jepa.simulate.fhir_files import Ndjson


def write(files: Ndjson, config: SimulateConfig) -> list[tuple[str, str, str, str]]:
    """Appends the bad Observations of one patient; ``(identifier, resource, code, fault)`` of each."""
    if config.subjects + config.records_only == 0:
        return []
    mrn = identifier(config.seed, 1 if config.subjects else MONITORED + 1)
    second = 60 * config.minutes // 2
    rows = []
    for key, name, value, fault in (
        ("planted-1", "hr", 999.0, "implausible"),
        ("planted-2", "map", 78.0, "no-unit"),
        ("planted-3", "lactate", 16.2, "unknown-unit"),
    ):
        row = Written(key, name, None, second, (value,), None, second + 90)
        resource = fhir.observation(row, mrn)
        _spoil(resource["valueQuantity"], fault)
        files.write(resource)
        rows.append((mrn, f"Observation/{resource['id']}", f"LOINC//{resource['code']['coding'][0]['code']}", fault))
    return rows


def _spoil(quantity: dict[str, Any], fault: str) -> None:
    if fault == "no-unit":
        for name in ("unit", "system", "code"):
            del quantity[name]
    if fault == "unknown-unit":  # a mass where a concentration is charted: nothing says of how much blood
        quantity["unit"] = quantity["code"] = "mg"
