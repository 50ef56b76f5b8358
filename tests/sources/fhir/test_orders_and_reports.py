"""Orders, statements, procedures, reports, documents, devices and flags: their time, their state, and what is no fact yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sources.fhir.builders import LOINC, facts, read, refusals, write

SUBJECT = {"reference": "Patient/p1"}
CODE = {"coding": [{"system": LOINC, "code": "2524-7"}]}
NINE, TEN, NOON = "2026-01-05T09:00:00Z", "2026-01-05T10:00:00Z", "2026-01-05T12:00:00Z"
BODIES: dict[str, dict[str, Any]] = {
    "MedicationRequest": {"status": "active", "intent": "order", "medicationCodeableConcept": CODE, "authoredOn": NINE},
    "ServiceRequest": {"status": "active", "intent": "order", "code": CODE, "authoredOn": NINE},
    "MedicationStatement": {"status": "active", "medicationCodeableConcept": CODE, "dateAsserted": TEN},
    "Procedure": {"status": "completed", "code": CODE, "performedPeriod": {"start": NINE, "end": TEN}},
    "DiagnosticReport": {"status": "final", "code": CODE, "effectiveDateTime": NINE, "issued": TEN},
    "DocumentReference": {"status": "current", "type": CODE, "date": TEN, "content": [{"attachment": {"title": "t"}}]},
    "Flag": {"status": "active", "code": CODE, "period": {"start": NINE}},
    "Device": {"status": "active", "type": CODE},
}
Row = tuple[str, str, str, str, str]  # code, time, available, basis, status


def body(kind: str, **fields: Any) -> dict[str, Any]:
    whole = {"resourceType": kind, "id": "x1", "patient" if kind == "Device" else "subject": SUBJECT}
    whole |= BODIES[kind] | fields
    return {name: value for name, value in whole.items() if value is not None}


CASES: list[tuple[str, dict[str, Any], set[Row]]] = [
    ("MedicationRequest", {}, {("ORDER//LOINC//2524-7", NINE, NINE, "issued", "final")}),
    (
        "ServiceRequest",
        {"occurrenceDateTime": NOON},  # a plan is known before its time
        {("ORDER//LOINC//2524-7", NOON, NINE, "issued", "final")},
    ),
    (
        "ServiceRequest",
        {"occurrencePeriod": {"start": NOON}, "status": "revoked", "meta": {"versionId": "2", "lastUpdated": TEN}},
        {("ORDER//LOINC//2524-7", NOON, TEN, "last-updated", "cancelled")},
    ),
    (
        "ServiceRequest",
        {"authoredOn": None, "occurrenceDateTime": NOON},
        {("ORDER//LOINC//2524-7", NOON, NOON, "assumed", "final")},
    ),
    (
        "MedicationRequest",
        {"dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"start": NOON}}}}]},
        {("ORDER//LOINC//2524-7", NOON, NINE, "issued", "final")},
    ),
    (
        "MedicationStatement",
        {"effectiveDateTime": NINE},
        {("MEDICATION_STATEMENT//LOINC//2524-7", NINE, TEN, "issued", "final")},
    ),
    ("Procedure", {}, {("PROCEDURE//LOINC//2524-7", TEN, TEN, "assumed", "final")}),
    ("Procedure", {"status": "in-progress"}, {("PROCEDURE//LOINC//2524-7", NINE, NINE, "assumed", "preliminary")}),
    ("Procedure", {"status": "not-done"}, {("PROCEDURE//LOINC//2524-7", TEN, TEN, "assumed", "cancelled")}),
    ("DiagnosticReport", {}, {("DIAGNOSTIC_REPORT//LOINC//2524-7", NINE, TEN, "issued", "final")}),
    (
        "DiagnosticReport",
        {"status": "appended"},
        {("DIAGNOSTIC_REPORT//LOINC//2524-7", NINE, TEN, "issued", "amended")},
    ),
    ("DocumentReference", {}, {("DOCUMENT//LOINC//2524-7", TEN, TEN, "issued", "final")}),
    ("Flag", {}, {("FLAG//LOINC//2524-7", NINE, NINE, "assumed", "final")}),
    (
        "Flag",
        {"status": "inactive", "period": {"start": NINE, "end": TEN}},
        {
            ("FLAG//LOINC//2524-7", NINE, NINE, "assumed", "final"),
            ("FLAG_ENDED//LOINC//2524-7", TEN, TEN, "assumed", "final"),
        },
    ),
]


@pytest.mark.parametrize(("kind", "fields", "expected"), CASES)
def test_it_is_one_row_at_its_own_time(kind: str, fields: dict[str, Any], expected: set[Row], tmp_path: Path) -> None:
    batch = read(write(tmp_path, f"{kind}.ndjson", body(kind, **fields)))
    assert batch.rejections == ()
    assert {(code, time, known, basis, status) for code, time, known, basis, _, status in facts(batch)} == expected


@pytest.mark.parametrize(
    ("kind", "fields", "counted"),
    [
        ("MedicationRequest", {"intent": "proposal"}, "MedicationRequest not wanted"),
        ("ServiceRequest", {"doNotPerform": True}, "ServiceRequest not wanted"),
        ("ServiceRequest", {"status": "draft"}, "ServiceRequest draft"),
        ("MedicationStatement", {"status": "intended"}, "MedicationStatement intended"),
        ("Procedure", {"status": "preparation"}, "Procedure preparation"),
        ("DiagnosticReport", {"status": "registered"}, "DiagnosticReport registered"),
        ("Device", {}, "Device without a time or a type"),
    ],
)
def test_what_is_not_yet_or_not_at_all_is_counted(
    kind: str, fields: dict[str, Any], counted: str, tmp_path: Path
) -> None:
    batch = read(write(tmp_path, f"{kind}.ndjson", body(kind, **fields)))
    assert (batch.events.num_rows, batch.rejections, batch.ignored) == (0, (), {counted: 1})


@pytest.mark.parametrize("kind", sorted(BODIES.keys() - {"Device"}))
def test_a_state_that_fhir_does_not_have_is_refused(kind: str, tmp_path: Path) -> None:
    assert refusals(read(write(tmp_path, f"{kind}.ndjson", body(kind, status="bogus")))) == [("invalid", "line 1")]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("MedicationRequest", {"authoredOn": None}),
        ("MedicationStatement", {"dateAsserted": None}),
        ("Procedure", {"performedPeriod": None}),
        ("DiagnosticReport", {"effectiveDateTime": None, "issued": None}),
        ("DocumentReference", {"date": None}),
        ("Flag", {"period": None}),
    ],
)
@pytest.mark.fault(source="fhir", fault="missing time", ends="refused: the time of receipt is not its time")
def test_without_any_time_it_is_refused(kind: str, fields: dict[str, Any], tmp_path: Path) -> None:
    assert refusals(read(write(tmp_path, f"{kind}.ndjson", body(kind, **fields)))) == [("no-time", "line 1")]


def test_a_device_counts_where_the_site_vouches_for_its_time(tmp_path: Path) -> None:
    device = body("Device", meta={"lastUpdated": NINE})
    batch = read(write(tmp_path, "Device.ndjson", device), trust_last_updated=True)
    assert {(code, time, basis) for code, time, _, basis, *_ in facts(batch)} == {
        ("DEVICE//LOINC//2524-7", NINE, "last-updated")
    }


def test_a_discharge_diagnosis_is_not_known_before_discharge_whatever_was_recorded(tmp_path: Path) -> None:
    use = {"coding": [{"code": "DD"}]}
    stay = {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "IMP"},
        "subject": SUBJECT,
        "period": {"start": NINE, "end": NOON},
        "diagnosis": [{"condition": {"reference": "Condition/c1"}, "use": use}],
    }
    write(tmp_path, "Encounter.ndjson", stay)
    condition = {"resourceType": "Condition", "subject": SUBJECT, "code": CODE, "recordedDate": TEN}
    conditions = [condition | {"id": "c1"}, condition | {"id": "c2"}]
    batch = read(write(tmp_path, "Condition.ndjson", *conditions))
    known = [known for code, _, known, *_ in facts(batch) if code.startswith("CONDITION")]
    assert sorted(known) == [TEN, NOON]
