"""A patient's stay as FHIR R4 bulk NDJSON, and each written fact into the truth."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from clinical_jepa.simulate import charting, codes, medication
from clinical_jepa.simulate import fhir_resources as fhir
from clinical_jepa.simulate.charting import Written
from clinical_jepa.simulate.config import START
from clinical_jepa.simulate.course import Course
from clinical_jepa.simulate.insults import Fate
from clinical_jepa.simulate.patients import Patients
from clinical_jepa.simulate.truth import Facts

TYPES = ("Patient", "Encounter", "Observation", "Condition", "MedicationAdministration", "ImagingStudy", "Location")


class Ndjson:
    """One growing file a resource type below a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._files: dict[str, BinaryIO] = {name: (folder / f"{name}.ndjson").open("wb") for name in TYPES}
        self._places: set[str] = set()
        self.counts: Counter[str] = Counter()

    def write(self, resource: dict[str, Any], copies: int = 1) -> None:
        """Appends a resource to the file of its type."""
        kind = resource["resourceType"]
        self._files[kind].write(orjson.dumps(resource, option=orjson.OPT_APPEND_NEWLINE) * copies)
        self.counts[kind] += copies

    def write_place(self, name: str) -> None:
        """Appends a bed, once."""
        if name not in self._places:
            self._places.add(name)
            self.write(fhir.location(name))

    def close(self) -> None:
        """Closes all files."""
        for file in self._files.values():
            file.close()


def write(
    files: Ndjson, facts: Facts, mrn: str, stay: tuple[Course, Patients, Fate, int], rng: np.random.Generator
) -> None:
    """All of one patient but the images. ``stay`` is (course, patients, fate, position)."""
    course, patients, _, i = stay
    _person(files, facts, mrn, patients, i, len(course.fio2), rng)
    _conditions(files, facts, mrn, stay, rng)
    rows = charting.write(course, patients, i, rng)
    for row in rows:
        files.write(fhir.observation(row, mrn), row.copies)
        _observed(facts, mrn, row)
    _infused(files, facts, mrn, course, i)
    _dosed(files, facts, mrn, course, patients, i)


def _person(
    files: Ndjson, facts: Facts, mrn: str, patients: Patients, i: int, minutes: int, rng: np.random.Generator
) -> None:
    start, left = 60 * int(patients.admitted[i]), int(patients.left[i])
    end = 60 * left if left < minutes else None
    birth = START.year - int(patients.age[i])
    female = bool(patients.female[i])
    files.write(fhir.patient(mrn, female=female, birth_year=birth, updated=start))
    beds = _beds(int(patients.number[i]), start, 60 * min(left, minutes), rng)
    for name, since in beds:
        files.write_place(name)
        facts.add(mrn, "TRANSFER_TO", (since, since))
    files.write(fhir.encounter(mrn, start=start, end=end, beds=beds))
    facts.add(mrn, "HOSPITAL_ADMISSION//IMP", (start, start))
    facts.add(mrn, f"GENDER//{'F' if female else 'M'}", (None, start))
    born = (START.replace(year=birth, month=7, day=1, hour=0) - START).total_seconds()
    facts.add(mrn, "MEDS_BIRTH", (born, start))
    if end is not None:
        facts.add(mrn, "HOSPITAL_DISCHARGE//home", (end, end))


def _beds(number: int, start: int, end: int, rng: np.random.Generator) -> list[tuple[str, int]]:
    """The beds of a stay with the second since when; one patient in four moves, at any time."""
    unit, bed = divmod(number - 1, 20)
    beds = [(f"ICU {_letters(unit)} / Bed {bed + 1:02d}", start)]
    if rng.random() < 0.25:
        since = int(rng.uniform(start + 0.2 * (end - start), end - 0.1 * (end - start))) // 60 * 60
        beds.append((f"Step-down {_letters(unit)} / Bed {bed + 1:02d}", since))
    return beds


def _letters(unit: int) -> str:
    return chr(65 + unit) if unit < 26 else _letters(unit // 26 - 1) + chr(65 + unit % 26)


def _conditions(
    files: Ndjson, facts: Facts, mrn: str, stay: tuple[Course, Patients, Fate, int], rng: np.random.Generator
) -> None:
    """Old diagnoses, entered on admission; new ones, entered hours after they were made."""
    course, patients, _, i = stay
    admitted = 60 * int(patients.admitted[i])
    for name, code in codes.CONDITIONS.items():
        year, recorded = START.year - int(rng.integers(2, 15)), admitted + int(rng.uniform(10, 90) * 60)
        if getattr(patients, name)[i]:
            day = START.replace(year=year, month=3, day=1, hour=0)
            files.write(fhir.condition(mrn, name, code, onset=f"{day:%Y-%m-%dT00:00:00+00:00}", recorded=recorded))
            facts.add(mrn, f"CONDITION//SNOMED//{code[0]}", ((day - START).total_seconds(), recorded))
    levels = (("sepsis", codes.SEPSIS, course.latent[:, 0, i]), ("pneumonia", codes.PNEUMONIA, course.latent[:, 3, i]))
    last = min(int(patients.left[i]), len(course.fio2))
    for name, code, level in levels:
        delay = int(rng.uniform(5, 14) * 3600)
        ill = np.flatnonzero(level[:last] > 0.5)
        if len(ill) and 60 * max(int(ill[0]), admitted // 60) + delay <= 60 * last:
            second = 60 * max(int(ill[0]), admitted // 60)
            files.write(fhir.condition(mrn, name, code, onset=fhir.CHART.iso(second), recorded=second + delay))
            facts.add(mrn, f"CONDITION//SNOMED//{code[0]}", (second, second + delay))


def _observed(facts: Facts, mrn: str, row: Written) -> None:
    names = codes.PANEL_PARTS if row.name == "bp" else (row.name,)
    for name, value in zip(names, row.values or (None,), strict=True):
        facts.add(mrn, codes.loinc(name), (row.second, row.issued), value, (row.version, row.status))


def _infused(files: Ndjson, facts: Facts, mrn: str, course: Course, i: int) -> None:
    what = (codes.RXNORM, *codes.NOREPINEPHRINE)
    for number, infusion in enumerate(medication.infusions(course, i)):
        dosage = {"rateQuantity": fhir.quantity(infusion.rate, "ug/kg/min")}
        files.write(fhir.medication(mrn, f"n{number}", what, (infusion.start, infusion.end), dosage))
        facts.add(mrn, f"RXNORM//{what[1]}", (infusion.start, infusion.start), infusion.rate)
        if infusion.last and infusion.end is not None:
            facts.add(mrn, f"RXNORM//{what[1]}", (infusion.end, infusion.end), 0.0)


def _dosed(files: Ndjson, facts: Facts, mrn: str, course: Course, patients: Patients, i: int) -> None:
    for number, dose in enumerate(medication.doses(course, patients, i)):
        if dose.drug is None:
            what, amount, name = (codes.FLUIDS, *codes.CRYSTALLOID), fhir.quantity(dose.amount, "mL"), "FLUID"
        else:
            code, display, grams = codes.ANTIBIOTICS[dose.drug]
            what, amount, name = (codes.RXNORM, code, display), fhir.quantity(grams, "g"), "RXNORM"
        files.write(fhir.medication(mrn, f"d{number}", what, (dose.start, dose.end), {"dose": amount}))
        facts.add(mrn, f"{name}//{what[1]}", (dose.end, dose.end), float(amount["value"]))
