"""R5 beside R4. No public R5 set is at hand: these resources are made here, and held against fhir.resources' R5 classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clinical_jepa.sources.fhir.versions import fields, version_of
from tests.sources.fhir.builders import LOINC, facts, observation, only, quantity, read, write

SUBJECT = {"reference": "Patient/p1"}
PERIOD = {"start": "2026-01-05T08:00:00Z", "end": "2026-01-07T10:00:00Z"}
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def concept(system: str, code: str, **more: Any) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]} | more


R5: dict[str, dict[str, Any]] = {
    "Encounter": {
        "id": "e1",
        "status": "discharged",
        "class": [concept(ACT, "IMP")],
        "subject": SUBJECT,
        "actualPeriod": PERIOD,
        "admission": {"dischargeDisposition": concept("urn:d", "home")},
        "location": [{"location": {"display": "Bed 1"}, "status": "completed", "period": PERIOD}],
    },
    "MedicationAdministration": {
        "id": "m1",
        "status": "completed",
        "medication": {"concept": concept(RXNORM, "7512")},
        "subject": SUBJECT,
        "occurencePeriod": PERIOD,
        "dosage": {"rateQuantity": quantity(0.05, "ug/kg/min")},
    },
    "MedicationRequest": {
        "id": "r1",
        "status": "active",
        "intent": "order",
        "medication": {"concept": concept(RXNORM, "2193")},
        "subject": SUBJECT,
        "authoredOn": "2026-01-05T08:00:00Z",
    },
    "ServiceRequest": {
        "id": "s1",
        "status": "active",
        "intent": "order",
        "code": {"concept": concept(LOINC, "2524-7")},
        "subject": SUBJECT,
        "authoredOn": "2026-01-05T08:00:00Z",
        "occurrenceDateTime": "2026-01-05T09:00:00Z",
    },
    "Procedure": {
        "id": "x1",
        "status": "completed",
        "code": concept("http://snomed.info/sct", "40701008"),
        "subject": SUBJECT,
        "occurrencePeriod": PERIOD,
    },
    "ImagingStudy": {
        "id": "i1",
        "status": "available",
        "subject": SUBJECT,
        "started": "2026-01-05T08:00:00Z",
        "series": [{"uid": "1.2", "modality": concept("urn:dcm", "CR")}],
    },
    "DocumentReference": {
        "id": "d1",
        "status": "current",
        "type": concept(LOINC, "18842-5"),
        "subject": SUBJECT,
        "context": [{"reference": "Encounter/e1"}],
        "date": "2026-01-07T11:00:00Z",
        "content": [{"attachment": {"title": "t"}}],
    },
}
CODES = {
    "Encounter": {"HOSPITAL_ADMISSION//IMP", "TRANSFER_TO", "HOSPITAL_DISCHARGE//home"},
    "MedicationAdministration": {"RXNORM//7512"},
    "MedicationRequest": {"ORDER//RXNORM//2193"},
    "ServiceRequest": {"ORDER//LOINC//2524-7"},
    "Procedure": {"PROCEDURE//SNOMED//40701008"},
    "ImagingStudy": {"IMAGING_STUDY//CR"},
    "DocumentReference": {"DOCUMENT//LOINC//18842-5"},
}


@pytest.mark.parametrize("kind", sorted(R5))
def test_an_r5_resource_is_told_by_its_shape_and_read(kind: str, tmp_path: Path) -> None:
    from fhir.resources import get_fhir_model_class

    body = {"resourceType": kind} | R5[kind]
    get_fhir_model_class(kind).model_validate(body)
    assert version_of(body) == "R5"
    for strict in (False, True):
        batch = read(write(tmp_path, f"{kind}.ndjson", body), strict=strict)
        assert batch.rejections == ()
        assert set(batch.events["code"].to_pylist()) == CODES[kind]


def test_the_same_facts_in_both_versions_are_the_same_rows(tmp_path: Path) -> None:
    newer = {"resourceType": "Encounter"} | R5["Encounter"]
    older = {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"system": ACT, "code": "IMP"},
        "subject": SUBJECT,
        "period": PERIOD,
        "hospitalization": newer["admission"],
        "location": newer["location"],
    }
    ids = [read(write(tmp_path, "Encounter.ndjson", body)).events["event_id"].to_pylist() for body in (newer, older)]
    assert ids[0] == ids[1]


def test_r5_shapes_in_an_r4_resource_are_refused_and_named(tmp_path: Path) -> None:
    mixed = {"resourceType": "Encounter", "period": PERIOD} | R5["Encounter"]
    assert "FHIR R5" in only(read(write(tmp_path, "Encounter.ndjson", mixed))).message


def test_a_capability_statement_decides(tmp_path: Path) -> None:
    write(tmp_path, "CapabilityStatement.json", {"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"})
    older = {"resourceType": "Procedure", "performedPeriod": PERIOD} | R5["Procedure"]
    older.pop("occurrencePeriod")
    batch = read(write(tmp_path, "Procedure.ndjson", older))
    assert "FHIR R5" in only(batch).message


def test_the_table_of_elements_is_the_library_s() -> None:
    from fhir.resources import get_fhir_model_class as r5
    from fhir.resources.R4B import get_fhir_model_class as r4

    def elements(model: Any) -> set[str]:
        names = {info.alias or name for name, info in model.model_fields.items()}
        return {name for name in names if not name.startswith("_") and name != "fhir_comments"}

    for kind, names in fields().items():
        older, newer = elements(r4(kind)), elements(r5(kind))
        assert set(names) == older | newer
        for name, version in names.items():
            assert version == ("both" if name in older & newer else "R4" if name in older else "R5")


def wave(**sampled: Any) -> dict[str, Any]:
    data = {"origin": quantity(0, "mV"), "factor": 0.1, "dimensions": 1, "data": "1 2 3"} | sampled
    lead = concept("urn:oid:2.16.840.1.113883.6.24", "131330")
    return observation(valueQuantity=None, code=None, valueSampledData=data) | {"code": lead}


def test_a_waveform_of_either_version_is_the_same_piece(tmp_path: Path) -> None:
    older, newer = wave(period=4), wave(interval=4, intervalUnit="ms")
    batch = read(write(tmp_path, "Observation.ndjson", older, newer))
    assert len(batch.signals) == 2
    assert len({one.event_id for one in batch.signals}) == 1
    assert facts(batch) == set()
