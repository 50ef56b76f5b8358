"""The example tables (made up), against rows written down by hand."""

from __future__ import annotations

import pytest

from clinical_jepa.records.events import EVENTS
from clinical_jepa.sources.tables.mimic3.reader import find
from clinical_jepa.vocabulary.identity import subject_id
from tests.sources.tables.builders import EXAMPLE, facts, read, refusals

NOREPINEPHRINE = "RXNORM//7512"

EXPECTED = {
    "PATIENTS": {
        ("GENDER//F", None, "10-23 21:09", "assumed", None),
        ("GENDER//M", None, "02-01 08:00", "assumed", None),
        ("MEDS_BIRTH", "03-05 00:00", "10-23 21:09", "assumed", None),
        ("MEDS_BIRTH", "01-30 00:00", "02-01 08:00", "assumed", "older than 89"),  # 90 Julian years before
    },
    "ADMISSIONS": {
        ("HOSPITAL_ADMISSION//EMERGENCY", "10-23 21:09", "10-23 21:09", "assumed", None),
        ("HOSPITAL_DISCHARGE//HOME", "10-25 17:15", "10-25 17:15", "assumed", None),
        ("HOSPITAL_ADMISSION//URGENT", "02-01 08:00", "02-01 08:00", "assumed", None),
        ("HOSPITAL_DISCHARGE//DEAD/EXPIRED", "02-03 06:00", "02-03 06:00", "assumed", None),
        ("MEDS_DEATH", "02-03 06:00", "02-03 06:00", "assumed", None),
    },
    "ICUSTAYS": {
        ("ICU_ADMISSION//MICU", "10-23 21:10", "10-23 21:10", "assumed", None),
        ("ICU_DISCHARGE//MICU", "10-24 12:21", "10-24 12:21", "assumed", None),
    },
    "TRANSFERS": {
        ("TRANSFER_TO", "10-23 21:10", "10-23 21:10", "assumed", "MICU / ward 52"),
        ("TRANSFER_TO", "10-24 12:21", "10-24 12:21", "assumed", "ward 45"),
    },
    "CHARTEVENTS": {
        ("LOINC//8867-4", "10-24 00:00", "10-24 00:22", "issued", 96.0),
        ("LOINC//8310-5", "10-24 00:00", "10-24 00:00", "clamped", 37.0),
        ("LOINC//8310-5", "10-24 01:00", "10-24 01:05", "issued", 38.5),
        ("LOINC//3150-6", "10-24 01:00", "10-24 01:05", "issued", 50.0),
        ("LOINC//3150-6", "10-24 01:00", "10-24 01:05", "issued", 40.0),
    },
    "LABEVENTS": {
        ("LOINC//2524-7", "10-24 02:00", "10-24 03:00", "delay", 2.1),
        ("LOINC//2823-3", "10-24 02:00", "10-24 03:00", "delay", 4.2),
        ("LOINC//1988-5", "10-20 02:00", "10-20 03:00", "delay", 85.0),
        ("LOINC//6598-7", "10-24 02:00", "10-24 03:00", "delay", "<0.01"),
        ("LOINC//2703-7", "10-24 02:10", "10-24 03:10", "delay", 88.0),
    },
    "INPUTEVENTS_CV": {
        (NOREPINEPHRINE, "10-24 03:00", "10-24 03:10", "issued", 0.1),
        (NOREPINEPHRINE, "10-24 04:00", "10-24 04:05", "issued", 0.0),
        ("FLUID//crystalloid", "10-24 04:00", "10-24 04:05", "issued", 100.0),
    },
    "INPUTEVENTS_MV": {
        (NOREPINEPHRINE, "02-01 10:00", "02-01 10:03", "issued", 0.2),
        (NOREPINEPHRINE, "02-01 11:00", "02-01 12:01", "issued", 0.1),
        (NOREPINEPHRINE, "02-01 12:00", "02-01 12:01", "issued", 0.0),
        ("RXNORM//11149", "02-01 12:00", "02-01 12:01", "issued", 0.04),
        ("RXNORM//11149", "02-01 12:20", "02-01 12:20", "clamped", 0.0),
        ("FLUID//crystalloid", "02-01 12:30", "02-01 12:30", "clamped", 500.0),
    },
    "OUTPUTEVENTS": {("LOINC//9187-6", "10-24 04:00", "10-24 04:20", "issued", 60.0)},
    "DIAGNOSES_ICD": {("CONDITION//ICD9CM//99591", "10-25 17:15", "10-25 17:15", "delay", "Sepsis")},
}


@pytest.mark.parametrize("table", EXPECTED)
def test_a_table_gives_exactly_these_rows(table: str) -> None:
    batch = read(EXAMPLE, table)
    assert facts(batch) == EXPECTED[table]
    assert batch.events.num_rows == len(EXPECTED[table])
    assert batch.events.schema == EVENTS
    assert set(batch.events["source"].to_pylist()) == {f"mimic3:{table}"}


def test_what_is_refused_and_why() -> None:
    assert refusals(read(EXAMPLE, "CHARTEVENTS")) == [
        ("invalid", "row_id 6"),  # error = 1
        ("implausible", "row_id 7"),
        ("unknown-unit", "row_id 8"),  # a heart rate in mmHg
        ("unknown-subject", "row_id 10"),
        ("no-time", "row_id 11"),
        ("invalid", "row_id 12"),  # "eighty"
    ]
    assert refusals(read(EXAMPLE, "INPUTEVENTS_CV")) == [("unknown-unit", "row_id 4")]  # ug/min needs a weight


def test_a_refusal_keeps_the_row_and_tells_no_value() -> None:
    rejection = read(EXAMPLE, "CHARTEVENTS").rejections[1]
    assert rejection.original == b"7,7,70,700,51,2150-10-24 01:00:00,2150-10-24 01:06:00,1,1200,1200,mmHg,0,0,,"
    assert "1200" not in rejection.message
    assert (rejection.source, rejection.file) == ("mimic3:CHARTEVENTS", "CHARTEVENTS.csv")


def test_what_is_not_kept_is_counted() -> None:
    assert read(EXAMPLE, "CHARTEVENTS").ignored == {"mimic3:CHARTEVENTS item not in the code map": 1}
    assert read(EXAMPLE, "LABEVENTS").ignored == {
        "mimic3:LABEVENTS item not in the code map": 1,
        "mimic3:LABEVENTS blood gas not known to be arterial": 1,
    }
    assert read(EXAMPLE, "INPUTEVENTS_MV").ignored == {"mimic3:INPUTEVENTS_MV rewritten, superseded by another row": 1}


def test_subjects_are_those_of_the_mimic3_namespace() -> None:
    batch = read(EXAMPLE, "CHARTEVENTS")
    assert [(one.namespace, one.identifier) for one in batch.identities] == [("mimic3", "7")]
    assert set(batch.events["subject_id"].to_pylist()) == {subject_id("mimic3", "7")}
    assert set(batch.events["encounter_id"].to_pylist()) == {"70"}


def test_tables_are_found_patients_first() -> None:
    names = [path.name for path in find(EXAMPLE.parent)]
    assert names[:2] == ["PATIENTS.csv", "ADMISSIONS.csv"]
    assert len(names) == 11
    assert find(EXAMPLE / "CHARTEVENTS.csv") == [EXAMPLE / "CHARTEVENTS.csv"]
    assert find(EXAMPLE / "OTHER.csv") == []
