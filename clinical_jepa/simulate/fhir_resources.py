"""FHIR R4 resources as dictionaries, lean but valid. Moments come in seconds after the ward's start."""

from __future__ import annotations

from typing import Any

from clinical_jepa.simulate.charting import Written
from clinical_jepa.simulate.codes import ITEMS, LOINC, MRN, PANEL, PANEL_PARTS, SNOMED, UCUM, Item
from clinical_jepa.simulate.config import WardClock

Json = dict[str, Any]
_SYSTEM = "http://terminology.hl7.org/CodeSystem/"
CHART, LABORATORY = WardClock(0), WardClock(1)  # the laboratory system writes its own zone


def concept(system: str, code: str, display: str) -> Json:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code, "display": display}]}


def quantity(value: float, unit: str) -> Json:
    """A UCUM Quantity; whole numbers are written as such."""
    number = int(value) if value == int(value) else value
    return {"value": number, "unit": unit, "system": UCUM, "code": unit}


_CODES = {name: concept(LOINC, item.code, item.display) for name, item in ITEMS.items()}
_PANEL = concept(LOINC, *PANEL)
_CATEGORIES = {
    name: [concept(_SYSTEM + "observation-category", name, name)] for name in ("vital-signs", "laboratory", "survey")
}


def observation(row: Written, mrn: str) -> Json:
    """One version of an Observation."""
    item = ITEMS["map" if row.name == "bp" else row.name]
    clock = LABORATORY if item.category == "laboratory" else CHART
    out = {
        "resourceType": "Observation",
        "id": f"o{mrn}-{row.key}",
        "meta": {"versionId": str(row.version), "lastUpdated": CHART.iso(row.issued + 2)},
        "status": row.status,
        "category": _CATEGORIES[item.category],
        "code": _PANEL if row.name == "bp" else _CODES[row.name],
        "subject": {"reference": f"Patient/p{mrn}"},
        "encounter": {"reference": f"Encounter/e{mrn}"},
    }
    if row.start is None:
        out["effectiveDateTime"] = clock.iso(row.second)
    else:
        out["effectivePeriod"] = {"start": clock.iso(row.start), "end": clock.iso(row.second)}
    return out | {"issued": clock.iso(row.issued)} | _value(row, item)


def _value(row: Written, item: Item) -> Json:
    if row.text is not None:
        return {"valueCodeableConcept": {"text": row.text}}
    if row.name == "bp":
        parts = zip(PANEL_PARTS, row.values, strict=True)
        return {"component": [{"code": _CODES[part], "valueQuantity": quantity(v, "mm[Hg]")} for part, v in parts]}
    return {"valueQuantity": quantity(row.values[0], item.unit)}


def patient(mrn: str, *, female: bool, birth_year: int, updated: int) -> Json:
    """A Patient with the record number and no name."""
    return {
        "resourceType": "Patient",
        "id": f"p{mrn}",
        "meta": {"versionId": "1", "lastUpdated": CHART.iso(updated)},
        "identifier": [{"system": MRN, "value": mrn}],
        "gender": "female" if female else "male",
        "birthDate": f"{birth_year}-07-01",
    }


def location(name: str) -> Json:
    """A bed."""
    return {"resourceType": "Location", "id": location_id(name), "status": "active", "name": name}


def location_id(name: str) -> str:
    """``bed-icu-a-bed-07``."""
    return "bed-" + "-".join(name.lower().replace("/", " ").split())


def encounter(mrn: str, *, start: int, end: int | None, beds: list[tuple[str, int]]) -> Json:
    """The stay; ``beds`` are (name, since). ``end`` None: the patient is still there."""
    out: Json = {
        "resourceType": "Encounter",
        "id": f"e{mrn}",
        "meta": {"versionId": "1", "lastUpdated": CHART.iso(end or beds[-1][1])},
        "status": "in-progress" if end is None else "finished",
        "class": {"system": _SYSTEM + "v3-ActCode", "code": "IMP", "display": "inpatient encounter"},
        "subject": {"reference": f"Patient/p{mrn}"},
        "period": _period(start, end),
        "location": [],
    }
    for (name, since), until in zip(beds, [*(bed[1] for bed in beds[1:]), end], strict=True):
        place = {"reference": f"Location/{location_id(name)}", "display": name}
        status = "active" if until is None else "completed"
        out["location"].append({"location": place, "status": status, "period": _period(since, until)})
    if end is not None:
        home = concept(_SYSTEM + "discharge-disposition", "home", "Home")
        out["hospitalization"] = {"dischargeDisposition": home}
    return out


def condition(mrn: str, key: str, code: tuple[str, str], *, onset: str, recorded: int) -> Json:
    """A diagnosis: ``onset`` a FHIR date or dateTime."""
    return {
        "resourceType": "Condition",
        "id": f"c{mrn}-{key}",
        "meta": {"versionId": "1", "lastUpdated": CHART.iso(recorded)},
        "clinicalStatus": concept(_SYSTEM + "condition-clinical", "active", "Active"),
        "verificationStatus": concept(_SYSTEM + "condition-ver-status", "confirmed", "Confirmed"),
        "code": concept(SNOMED, *code),
        "subject": {"reference": f"Patient/p{mrn}"},
        "encounter": {"reference": f"Encounter/e{mrn}"},
        "onsetDateTime": onset,
        "recordedDate": CHART.iso(recorded),
    }


def medication(mrn: str, key: str, what: tuple[str, str, str], period: tuple[int, int | None], dosage: Json) -> Json:
    """An administration of ``what`` (system, code, display)."""
    start, end = period
    return {
        "resourceType": "MedicationAdministration",
        "id": f"m{mrn}-{key}",
        "meta": {"versionId": "1", "lastUpdated": CHART.iso(start if end is None else end)},
        "status": "in-progress" if end is None else "completed",
        "medicationCodeableConcept": concept(*what),
        "subject": {"reference": f"Patient/p{mrn}"},
        "context": {"reference": f"Encounter/e{mrn}"},
        "effectivePeriod": _period(start, end),
        "dosage": dosage,
    }


def imaging_study(mrn: str, key: str, *, modality: str, started: int, uid: str, updated: int) -> Json:
    """A study of one image."""
    dicom = "http://dicom.nema.org/resources/ontology/DCM"
    return {
        "resourceType": "ImagingStudy",
        "id": f"i{mrn}-{key}",
        "meta": {"versionId": "1", "lastUpdated": CHART.iso(updated)},
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}],
        "status": "available",
        "modality": [{"system": dicom, "code": modality}],
        "subject": {"reference": f"Patient/p{mrn}"},
        "encounter": {"reference": f"Encounter/e{mrn}"},
        "started": CHART.iso(started),
        "numberOfSeries": 1,
        "numberOfInstances": 1,
    }


def _period(start: int, end: int | None) -> Json:
    return {"start": CHART.iso(start)} | ({} if end is None else {"end": CHART.iso(end)})
