"""The same facts as R4 and as R5 say them: one resource of every kind that is read, each accepted by fhir.resources' classes."""

from __future__ import annotations

from typing import Any

from tests.sources.fhir.builders import LOINC, observation, quantity

SUBJECT = {"reference": "Patient/p1"}
PERIOD = {"start": "2026-01-05T08:00:00Z", "end": "2026-01-07T10:00:00Z"}
EIGHT, NINE, LATER = "2026-01-05T08:00:00Z", "2026-01-05T09:00:00Z", "2026-01-07T11:00:00Z"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONDITION = "http://terminology.hl7.org/CodeSystem/condition-"
Body = dict[str, Any]


def concept(system: str, code: str, **more: Any) -> Body:
    return {"coding": [{"system": system, "code": code}]} | more


LAB = concept(LOINC, "2524-7")
_LOCATED = [{"location": {"display": "Bed 1"}, "status": "completed", "period": PERIOD}]
_HOME = {"dischargeDisposition": concept("urn:d", "home")}

# what both versions have, what only R4 has, what only R5 has
_PARTS: dict[str, tuple[Body, Body, Body]] = {
    "Encounter": (
        {"subject": SUBJECT, "location": _LOCATED},
        {
            "status": "finished",
            "class": {"system": ACT, "code": "IMP"},
            "period": PERIOD,
            "hospitalization": _HOME,
            "diagnosis": [{"condition": {"reference": "Condition/x1"}, "use": concept("urn:u", "DD")}],
        },
        {
            "status": "discharged",
            "class": [concept(ACT, "IMP")],
            "actualPeriod": PERIOD,
            "admission": _HOME,
            "diagnosis": [
                {"condition": [{"reference": {"reference": "Condition/x1"}}], "use": [concept("urn:u", "DD")]}
            ],
        },
    ),
    "MedicationAdministration": (
        {"status": "completed", "subject": SUBJECT, "dosage": {"rateQuantity": quantity(0.05, "ug/kg/min")}},
        {"medicationCodeableConcept": concept(RXNORM, "7512"), "effectivePeriod": PERIOD},
        {"medication": {"concept": concept(RXNORM, "7512")}, "occurencePeriod": PERIOD},
    ),
    "MedicationRequest": (
        {"intent": "order", "subject": SUBJECT, "authoredOn": EIGHT, "priority": "stat"},
        {"status": "completed", "medicationCodeableConcept": concept(RXNORM, "2193")},
        {"status": "ended", "medication": {"concept": concept(RXNORM, "2193")}},
    ),
    "MedicationStatement": (
        {"subject": SUBJECT, "dateAsserted": NINE, "effectiveDateTime": EIGHT},
        {"status": "active", "medicationCodeableConcept": concept(RXNORM, "2193")},
        {"status": "recorded", "medication": {"concept": concept(RXNORM, "2193")}},
    ),
    "ServiceRequest": (
        {
            "status": "active",
            "intent": "order",
            "priority": "asap",
            "subject": SUBJECT,
            "authoredOn": EIGHT,
            "occurrenceDateTime": NINE,
        },
        {"code": LAB},
        {"code": {"concept": LAB}},
    ),
    "Procedure": (
        {"status": "completed", "code": concept("http://snomed.info/sct", "40701008"), "subject": SUBJECT},
        {"performedPeriod": PERIOD},
        {"occurrencePeriod": PERIOD},
    ),
    "ImagingStudy": (
        {"status": "available", "subject": SUBJECT, "started": EIGHT},
        {"series": [{"uid": "1.2", "modality": {"system": "urn:dcm", "code": "CR"}}]},
        {"series": [{"uid": "1.2", "modality": concept("urn:dcm", "CR")}]},
    ),
    "DocumentReference": (
        {"status": "current", "type": LAB, "subject": SUBJECT, "date": LATER, "content": [{"attachment": {}}]},
        {"docStatus": "final", "context": {"encounter": [{"reference": "Encounter/e1"}]}},
        {"docStatus": "corrected", "context": [{"reference": "Encounter/e1"}]},
    ),
    "Condition": (
        {
            "clinicalStatus": concept(CONDITION + "clinical", "active"),
            "verificationStatus": concept(CONDITION + "ver-status", "confirmed"),
            "code": LAB,
            "subject": SUBJECT,
            "onsetDateTime": EIGHT,
            "recordedDate": NINE,
        },
        {"recorder": {"reference": "Practitioner/d1"}},
        {"participant": [{"actor": {"reference": "Practitioner/d1"}}]},
    ),
    "DiagnosticReport": (
        {"code": LAB, "subject": SUBJECT, "effectiveDateTime": EIGHT, "issued": NINE},
        {"status": "preliminary"},
        {"status": "modified"},
    ),
    "Observation": (
        observation(interpretation=[{"text": "high"}]),
        {},
        {"triggeredBy": [{"observation": {"reference": "Observation/o0"}, "type": "reflex"}]},
    ),
    "Flag": ({"status": "inactive", "code": LAB, "subject": SUBJECT, "period": PERIOD}, {}, {}),
    "Patient": (
        {
            "gender": "female",
            "birthDate": "1950-01-01",
            "meta": {"lastUpdated": NINE},
            "link": [{"other": {"reference": "Patient/p2"}, "type": "seealso"}],
        },
        {},
        {},
    ),
    "Device": (
        {"status": "active", "meta": {"lastUpdated": NINE}},
        {"type": LAB, "patient": SUBJECT},
        {"type": [LAB]},
    ),
}
KINDS = sorted(_PARTS)
ALIKE = ("Flag", "Patient")  # nothing in these tells the versions apart


def twins(kind: str) -> dict[str, Body]:
    """The resource by version of FHIR."""
    both, older, newer = _PARTS[kind]
    whole = {"resourceType": kind, "id": "p1" if kind == "Patient" else "x1"} | both
    return {"R4": whole | older, "R5": whole | newer}


def accepted(body: Body, version: str) -> bool:
    """What fhir.resources says of a resource (it has no R4: R4B's classes)."""
    from fhir.resources import get_fhir_model_class as r5
    from fhir.resources.R4B import get_fhir_model_class as r4

    try:
        (r5 if version == "R5" else r4)(body["resourceType"]).model_validate(body)
    except ValueError:
        return False
    return True
