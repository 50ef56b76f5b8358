"""Rates at their start, totals at their end, stays by their class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sources.fhir.builders import facts, quantity, read, refusals, write

SUBJECT = {"reference": "Patient/p1"}
START, END = "2026-01-05T12:00:00Z", "2026-01-05T14:00:00Z"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def given(name: str = "m1", status: str = "completed", **fields: Any) -> dict[str, Any]:
    """Norepinephrine 0.05 ug/kg/min from 12 to 14 o'clock; a field given as None is left out."""
    whole = {
        "resourceType": "MedicationAdministration",
        "id": name,
        "status": status,
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": "7512"}]},
        "subject": SUBJECT,
        "effectivePeriod": {"start": START, "end": END},
        "dosage": {"rateQuantity": quantity(0.05, "ug/kg/min")},
    } | fields
    return {key: value for key, value in whole.items() if value is not None}


def rates(*resources: dict[str, Any], folder: Path) -> set[tuple[object, object]]:
    batch = read(write(folder, "MedicationAdministration.ndjson", *resources))
    return {(time, value) for _, time, _, _, value, _ in facts(batch)}


@pytest.mark.parametrize("status", ["completed", "stopped"])
def test_an_infusion_that_ended_is_0_from_its_end(status: str, tmp_path: Path) -> None:
    assert rates(given(status=status), folder=tmp_path) == {(START, 0.05), (END, 0.0)}


def test_an_infusion_under_way_has_no_end(tmp_path: Path) -> None:
    assert rates(given(status="in-progress"), folder=tmp_path) == {(START, 0.05)}


def test_a_changed_rate_is_no_stop(tmp_path: Path) -> None:
    more = given(
        "m2",
        effectivePeriod={"start": END, "end": "2026-01-05T15:00:00Z"},
        dosage={"rateQuantity": quantity(0.1, "ug/kg/min")},
    )
    assert rates(given(), more, folder=tmp_path) == {(START, 0.05), (END, 0.1), ("2026-01-05T15:00:00Z", 0.0)}


def test_the_start_of_an_infusion_is_one_row_before_and_after_its_end(tmp_path: Path) -> None:
    before = given(status="in-progress", effectivePeriod={"start": START})
    after = given(meta={"versionId": "2", "lastUpdated": END})
    rows = read(write(tmp_path, "MedicationAdministration.ndjson", before, after)).events.to_pylist()
    assert len({row["event_id"] for row in rows}) == 2


def test_a_rate_in_other_units_or_as_a_ratio_is_converted(tmp_path: Path) -> None:
    ratio = {"numerator": quantity(0.1, "mg"), "denominator": quantity(1, "kg/min")}
    assert (START, 100.0) not in rates(given(status="in-progress", dosage={"rateRatio": ratio}), folder=tmp_path)
    per_kg = {"rateQuantity": quantity(0.0001, "mg/kg/min")}
    assert rates(given(status="in-progress", dosage=per_kg), folder=tmp_path) == {(START, 0.1)}


def test_a_dose_is_known_at_its_end_and_not_before_it_is_complete(tmp_path: Path) -> None:
    dose = {"dose": quantity(500, "mL")}
    fluid = {"coding": [{"system": "urn:ward:fluids", "code": "crystalloid"}]}
    assert rates(given(dosage=dose, medicationCodeableConcept=fluid), folder=tmp_path) == {(END, 500.0)}
    assert rates(given(dosage=dose, status="in-progress", medicationCodeableConcept=fluid), folder=tmp_path) == set()


def test_what_was_not_given_is_no_treatment(tmp_path: Path) -> None:
    rows = read(write(tmp_path, "MedicationAdministration.ndjson", given(status="not-done"))).events.to_pylist()
    assert [row["status"] for row in rows] == ["cancelled"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"effectivePeriod": None}, "no-time"),
        ({"dosage": {"rateQuantity": {"value": 1}}}, "no-unit"),
        ({"dosage": {"dose": {"value": 1}}, "status": "completed"}, "no-unit"),
        ({"dosage": {"rateQuantity": quantity(5, "ug/min")}}, "unknown-unit"),
        ({"dosage": {"rateQuantity": quantity("fast", "ug/kg/min")}}, "invalid"),
        ({"status": "done"}, "invalid"),
        ({"dosage": {"rateQuantity": quantity(0.05, "ug/kg/min") | {"comparator": "<"}}}, "invalid"),
        ({"dosage": {"dose": quantity(5, "mg") | {"comparator": ">"}}, "status": "completed"}, "invalid"),
        ({"medicationCodeableConcept": None, "medicationReference": {"reference": "Medication/1"}}, "unmapped"),
    ],
)
def test_bad_administrations_are_refused(fields: dict[str, Any], reason: str, tmp_path: Path) -> None:
    batch = read(write(tmp_path, "MedicationAdministration.ndjson", given(**{"status": "in-progress"} | fields)))
    assert refusals(batch) == [(reason, "line 1")]


def encounter(status: str, **fields: Any) -> dict[str, Any]:
    body = {"resourceType": "Encounter", "id": "e1", "status": status, "class": {"code": "IMP"}, "subject": SUBJECT}
    return body | {"period": {"start": START, "end": END}} | fields


@pytest.mark.parametrize(
    ("resource", "codes"),
    [
        (encounter("finished"), ["HOSPITAL_ADMISSION//IMP", "HOSPITAL_DISCHARGE//UNKNOWN"]),
        (encounter("in-progress"), ["HOSPITAL_ADMISSION//IMP"]),  # an end in the future is a plan
        (encounter("planned"), []),
        (encounter("finished", **{"class": {"code": "AMB"}}), ["VISIT//AMB"]),
    ],
)
def test_a_stay_begins_and_ends_as_its_status_says(resource: dict[str, Any], codes: list[str], tmp_path: Path) -> None:
    assert read(write(tmp_path, "Encounter.ndjson", resource)).events["code"].to_pylist() == codes


def test_a_cancelled_encounter_is_withdrawn(tmp_path: Path) -> None:
    rows = read(
        write(tmp_path, "Encounter.ndjson", encounter("in-progress"), encounter("cancelled"))
    ).events.to_pylist()
    assert [row["status"] for row in rows] == ["final", "cancelled"]
    assert rows[0]["fact_id"] == rows[1]["fact_id"]


def test_a_planned_bed_is_no_bed(tmp_path: Path) -> None:
    beds = [
        {"location": {"display": "Bed 1"}, "status": "planned"},
        {"location": {"reference": "Location/b2"}, "status": "active"},
    ]
    rows = read(write(tmp_path, "Encounter.ndjson", encounter("in-progress", location=beds))).events.to_pylist()
    assert [row["text_value"] for row in rows if row["code"] == "TRANSFER_TO"] == ["b2"]


def test_a_patient_known_since_nobody_knows_when_is_refused(tmp_path: Path) -> None:
    patient = {"resourceType": "Patient", "id": "p1", "gender": "male", "birthDate": "1950-01-01"}
    batch = read(write(tmp_path, "Patient.ndjson", patient))
    assert refusals(batch) == [("no-time", "line 1")]
    assert [one.identifier for one in batch.identities] == ["p1"]
