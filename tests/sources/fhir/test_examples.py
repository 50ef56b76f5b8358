"""The example files, against rows written down by hand."""

from __future__ import annotations

from pathlib import Path

from clinical_jepa.records.events import EVENTS
from clinical_jepa.sources.fhir.reader import find
from clinical_jepa.vocabulary.identity import subject_id
from tests.sources.fhir.builders import EXAMPLES, facts, read

ADMITTED, LEFT, HOUR_9 = "2026-01-05T08:00:00Z", "2026-01-07T10:00:00Z", "2026-01-05T09:00:00Z"
ISSUED = "2026-01-05T09:04:00Z"
NOREPINEPHRINE = "RXNORM//7512"

WARD = {
    ("GENDER//F", None, ADMITTED, "assumed", None, "final"),
    ("MEDS_BIRTH", "1951-04-02T00:00:00Z", ADMITTED, "assumed", None, "final"),
    ("HOSPITAL_ADMISSION//IMP", ADMITTED, ADMITTED, "assumed", None, "final"),
    ("TRANSFER_TO", ADMITTED, ADMITTED, "assumed", "ICU A / Bed 07", "final"),
    ("TRANSFER_TO", "2026-01-06T09:30:00Z", "2026-01-06T09:30:00Z", "assumed", "ICU A / Bed 02", "final"),
    ("HOSPITAL_DISCHARGE//home", LEFT, LEFT, "assumed", None, "final"),
    ("LOINC//8867-4", HOUR_9, ISSUED, "issued", 88.0, "final"),
    ("LOINC//8310-5", HOUR_9, "2026-01-05T09:01:00Z", "issued", 38.0, "final"),
    ("LOINC//8480-6", HOUR_9, ISSUED, "issued", 118.0, "final"),
    ("LOINC//8462-4", HOUR_9, ISSUED, "issued", 62.0, "final"),
    ("LOINC//80288-4", HOUR_9, ISSUED, "issued", "Alert", "final"),
    ("LOINC//2524-7", "2026-01-05T09:10:00Z", "2026-01-05T09:55:00Z", "issued", 2.4, "final"),
    ("LOINC//2524-7", "2026-01-05T09:10:00Z", "2026-01-05T11:20:00.000002Z", "issued", 4.2, "corrected"),
    ("LOINC//8867-4", "2026-01-05T09:15:00Z", "2026-01-05T09:16:00Z", "issued", 188.0, "final"),
    ("LOINC//8867-4", "2026-01-05T09:15:00Z", "2026-01-05T09:40:00.000002Z", "issued", 188.0, "entered-in-error"),
    ("LOINC//4548-4", "2026-01-05T09:10:00Z", "2026-01-05T13:00:00Z", "issued", 6.1, "final"),
    (
        "CONDITION//SNOMED//44054006",
        "2010-06-01T00:00:00Z",
        "2026-01-07T09:45:00Z",
        "issued",
        "Type 2 diabetes mellitus",
        "final",
    ),
    (NOREPINEPHRINE, "2026-01-05T12:00:00Z", "2026-01-05T12:00:00Z", "assumed", 0.05, "final"),
    (NOREPINEPHRINE, "2026-01-05T14:00:00Z", "2026-01-05T14:00:00Z", "assumed", 0.1, "final"),
    (NOREPINEPHRINE, "2026-01-05T20:00:00Z", "2026-01-05T20:00:00Z", "assumed", 0.0, "final"),
    ("FLUID//crystalloid", "2026-01-05T11:30:00Z", "2026-01-05T11:30:00Z", "assumed", 500.0, "final"),
    ("IMAGING_STUDY//CR", "2026-01-05T09:30:00Z", "2026-01-05T10:00:00Z", "delay", None, "final"),
}


def test_a_ward_export_gives_exactly_these_rows() -> None:
    batch = read(EXAMPLES / "ward")
    assert facts(batch) == WARD
    assert batch.events.num_rows == len(WARD)
    assert batch.rejections == ()
    assert batch.ignored == {"Observation without a value": 1, "MedicationRequest draft": 1}
    assert batch.events.schema == EVENTS


def test_every_file_of_the_export_names_the_patient_by_the_record_number() -> None:
    batch = read(EXAMPLES / "ward")
    names = {(one.subject_id, one.namespace, one.identifier) for one in batch.identities}
    subject = subject_id("mrn", "123")
    assert names == {(subject, "mrn", "000123"), (subject, "mrn~fhir", "p000123")}
    assert set(batch.events["subject_id"].to_pylist()) == {subject_id("mrn", "123")}


def test_versions_share_a_fact_and_differ_as_rows() -> None:
    rows = read(EXAMPLES / "ward" / "Observation.ndjson").events.to_pylist()
    lactates = [row for row in rows if row["code"] == "LOINC//2524-7"]
    assert len({row["fact_id"] for row in lactates}) == 1
    assert len({row["event_id"] for row in lactates}) == 2
    assert len({row["fact_id"] for row in rows}) == len(rows) - 2


def test_rows_carry_unit_and_encounter() -> None:
    rows = {row["code"]: row for row in read(EXAMPLES / "ward" / "Observation.ndjson").events.to_pylist()}
    assert rows["LOINC//8310-5"]["unit"] == "Cel"
    assert rows["LOINC//4548-4"]["unit"] == "%"
    assert {row["encounter_id"] for row in rows.values()} == {"e1"}


def test_a_transaction_bundle_is_read_entry_by_entry() -> None:
    batch = read(EXAMPLES / "bundle.json")
    assert facts(batch) == {
        ("GENDER//M", None, "2025-03-01T15:00:00Z", "assumed", None, "final"),
        ("MEDS_BIRTH", "1980-12-24T00:00:00Z", "2025-03-01T15:00:00Z", "assumed", None, "final"),
        ("VISIT//AMB", "2025-03-01T15:00:00Z", "2025-03-01T15:00:00Z", "assumed", None, "final"),
        ("LOINC//29463-7", "2025-03-01T15:05:00Z", "2025-03-01T15:05:00.123000Z", "issued", 81.647, "final"),
    }
    assert batch.ignored == {"Claim": 1}


def test_only_fhir_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "log.ndjson").write_text('{"exportId": "1"}\n')
    (tmp_path / "model.json").write_text('{"config": {}}')
    (tmp_path / "notes.txt").write_text('{"resourceType": "Patient"}')
    assert find(tmp_path) == []
    assert len(find(EXAMPLES)) == 8
