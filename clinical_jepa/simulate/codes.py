"""The codes and units that the ward writes, from the public code systems (LOINC, UCUM, RxNorm, SNOMED CT, MDC)."""

from __future__ import annotations

from typing import NamedTuple

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"
FLUIDS = "urn:ward:fluids"
MRN = "urn:ward:mrn"


class Item(NamedTuple):
    """One kind of Observation: LOINC code, display, UCUM unit, decimals written, category."""

    code: str
    display: str
    unit: str
    decimals: int
    category: str


ITEMS = {
    "hr": Item("8867-4", "Heart rate", "/min", 0, "vital-signs"),
    "rr": Item("9279-1", "Respiratory rate", "/min", 0, "vital-signs"),
    "spo2": Item("59408-5", "Oxygen saturation by pulse oximetry", "%", 0, "vital-signs"),
    "temp": Item("8310-5", "Body temperature", "Cel", 1, "vital-signs"),
    "sbp": Item("8480-6", "Systolic blood pressure", "mm[Hg]", 0, "vital-signs"),
    "dbp": Item("8462-4", "Diastolic blood pressure", "mm[Hg]", 0, "vital-signs"),
    "map": Item("8478-0", "Mean blood pressure", "mm[Hg]", 0, "vital-signs"),
    "fio2": Item("3150-6", "Inhaled oxygen concentration", "%", 0, "vital-signs"),
    "gcs": Item("9269-2", "Glasgow coma score total", "{score}", 0, "survey"),
    "acvpu": Item("80288-4", "Level of consciousness", "", 0, "survey"),
    "urine": Item("9187-6", "Urine output", "mL", 0, "vital-signs"),
    "weight": Item("29463-7", "Body weight", "kg", 1, "vital-signs"),
    "height": Item("8302-2", "Body height", "cm", 0, "vital-signs"),
    "lactate": Item("2524-7", "Lactate", "mmol/L", 1, "laboratory"),
    "pao2": Item("2703-7", "Oxygen, arterial", "mm[Hg]", 0, "laboratory"),
    "paco2": Item("2019-8", "Carbon dioxide, arterial", "mm[Hg]", 0, "laboratory"),
    "ph": Item("2744-1", "pH of arterial blood", "[pH]", 2, "laboratory"),
    "bicarbonate": Item("1963-8", "Bicarbonate", "mmol/L", 0, "laboratory"),
    "creatinine": Item("2160-0", "Creatinine", "mg/dL", 2, "laboratory"),
    "bun": Item("3094-0", "Urea nitrogen", "mg/dL", 0, "laboratory"),
    "potassium": Item("2823-3", "Potassium", "mmol/L", 1, "laboratory"),
    "sodium": Item("2951-2", "Sodium", "mmol/L", 0, "laboratory"),
    "glucose": Item("2345-7", "Glucose", "mg/dL", 0, "laboratory"),
    "wbc": Item("6690-2", "Leukocytes", "10*3/uL", 1, "laboratory"),
    "hemoglobin": Item("718-7", "Hemoglobin", "g/dL", 1, "laboratory"),
    "platelets": Item("777-3", "Platelets", "10*3/uL", 0, "laboratory"),
    "crp": Item("1988-5", "C reactive protein", "mg/L", 0, "laboratory"),
}
PANEL = ("85354-9", "Blood pressure panel")
PANEL_PARTS = ("sbp", "dbp", "map")

NOREPINEPHRINE = ("7512", "norepinephrine")
ANTIBIOTICS = (("74169", "piperacillin / tazobactam", 4.5), ("2193", "ceftriaxone", 2.0), ("11124", "vancomycin", 1.0))
CRYSTALLOID = ("crystalloid", "Balanced crystalloid")

# comorbidity of patients.Patients: SNOMED CT code and words
CONDITIONS = {
    "copd": ("13645005", "Chronic obstructive lung disease"),
    "hypertension": ("38341003", "Hypertensive disorder"),
    "kidney": ("709044004", "Chronic kidney disease"),
    "diabetes": ("44054006", "Diabetes mellitus type 2"),
    "fibrillation": ("49436004", "Atrial fibrillation"),
}
SEPSIS = ("91302008", "Sepsis")
PNEUMONIA = ("233604007", "Pneumonia")

# numerics record of the monitor: signal name, unit, MDC code
NUMERICS = (
    ("HR", "bpm", "147842"),
    ("PULSE", "bpm", "149530"),
    ("RESP", "pm", "151562"),
    ("SpO2", "%", "150456"),
    ("ABPSys", "mmHg", "150033"),
    ("ABPDias", "mmHg", "150034"),
    ("ABPMean", "mmHg", "150035"),
)


def loinc(name: str) -> str:
    """``LOINC//8867-4``: how a fact of this kind is named in the truth."""
    return f"LOINC//{ITEMS[name].code}"
