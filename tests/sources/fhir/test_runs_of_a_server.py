"""A server's spool has a numbered folder for each run: what one run tells of another's records is looked up there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clinical_jepa.ingest.units import ours
from clinical_jepa.sources.catalog import Found
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.fhir import reader
from tests.sources.fhir.builders import facts, read, write

PATIENT = {"resourceType": "Patient", "id": "p1"}
STAY = {
    "resourceType": "Encounter",
    "id": "e1",
    "status": "finished",
    "class": {"code": "IMP"},
    "subject": {"reference": "Patient/p1"},
    "period": {"start": "2026-01-02T08:00:00Z", "end": "2026-01-09T10:00:00Z"},
}
DIAGNOSIS = {
    "resourceType": "Condition",
    "id": "c1",
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91302008"}]},
    "subject": {"reference": "Patient/p1"},
    "encounter": {"reference": "Encounter/e1"},
    "onsetDateTime": "2026-01-02T09:00:00Z",
}


def rate(name: str, start: str, end: str, value: float) -> dict[str, Any]:
    return {
        "resourceType": "MedicationAdministration",
        "id": name,
        "status": "completed",
        "medicationCodeableConcept": {
            "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "7512"}]
        },
        "subject": {"reference": "Patient/p1"},
        "effectivePeriod": {"start": start, "end": end},
        "dosage": {"rateQuantity": {"value": value, "code": "ug/kg/min", "system": "http://unitsofmeasure.org"}},
    }


def spool(root: Path, *runs: dict[str, Any]) -> list[Path]:
    """Run n holds the n-th resource, as a page of its type; the first run holds the patient too."""
    paths = []
    for number, body in enumerate(runs, start=1):
        folder = root / "server" / f"{number:06d}"
        folder.mkdir(parents=True)
        if number == 1:
            write(folder, "Patient-a.ndjson", PATIENT)
        paths.append(write(folder, f"{body['resourceType']}-a.ndjson", body))
    return paths


@pytest.mark.parametrize("order", [(STAY, DIAGNOSIS), (DIAGNOSIS, STAY)])
def test_a_discharge_diagnosis_waits_for_discharge_whichever_run_tells_of_the_stay(
    order: tuple[dict[str, Any], ...], tmp_path: Path
) -> None:
    paths = spool(tmp_path, *order)
    (condition,) = [path for path in paths if path.name.startswith("Condition")]
    ((_, _, available, *_),) = facts(read(condition))
    assert available == "2026-01-09T10:00:00Z"


def test_a_rate_that_goes_on_in_another_run_does_not_stop(tmp_path: Path) -> None:
    paths = spool(
        tmp_path,
        rate("m1", "2026-01-02T09:00:00Z", "2026-01-02T10:00:00Z", 0.1),
        rate("m2", "2026-01-02T10:00:00Z", "2026-01-02T11:00:00Z", 0.2),
    )
    assert [value for *_, value, _ in facts(read(paths[0]))] == [0.1], "no 0 at 10:00"


def test_files_elsewhere_are_not_looked_at(tmp_path: Path) -> None:
    """The planted opposite: without numbers in their names, two folders are two exports."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    write(tmp_path / "one", "Encounter.ndjson", STAY)
    path = write(tmp_path / "two", "Condition.ndjson", DIAGNOSIS)
    assert reader.parts(path) == [path]


def test_the_runs_of_a_server_are_one_shard(tmp_path: Path) -> None:
    paths = spool(tmp_path, STAY, DIAGNOSIS, rate("m1", "2026-01-02T09:00:00Z", "2026-01-02T10:00:00Z", 0.1))
    for of in (2, 3, 5):
        takers = {
            number
            for number in range(of)
            for path in paths
            if ours(Found(kind="fhir", path=path), ReadContext(root=tmp_path, shard=(number, of)))
        }
        assert len(takers) == 1
