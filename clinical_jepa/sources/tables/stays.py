"""PATIENTS, ADMISSIONS, ICUSTAYS, TRANSFERS and DIAGNOSES_ICD: who was where, and what it was called afterwards."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from clinical_jepa.records.instant import DAY
from clinical_jepa.sources.tables.files import Unreadable, beside, instants, load
from clinical_jepa.sources.tables.under_way import Content, UnderWay

NEEDED = {
    "PATIENTS": ("row_id", "subject_id", "gender", "dob"),
    "ADMISSIONS": ("row_id", "subject_id", "hadm_id", "admittime", "dischtime", "deathtime", "admission_type"),
    "ICUSTAYS": ("row_id", "subject_id", "hadm_id", "first_careunit", "last_careunit", "intime", "outtime"),
    "TRANSFERS": ("row_id", "subject_id", "hadm_id", "curr_careunit", "curr_wardid", "intime"),
    "DIAGNOSES_ICD": ("row_id", "subject_id", "hadm_id", "icd9_code"),
}
_YEAR = 31_557_600_000_000  # a Julian year in µs
_OLDEST = 90  # those older than 89 have birth dates about 300 years back; all that is known is "older than 89"


def patients(frame: pl.DataFrame, under_way: UnderWay) -> None:
    """Sex and birth, known since the first admission; nothing is said before it."""
    for row in frame.with_columns(instants(under_way.context.zone, "dob")).iter_rows(named=True):
        admitted = under_way.folder.first_admission.get(row["subject_id"])
        if admitted is None:
            under_way.reject(
                row, "no-time", "PATIENTS: a subject without an admission; nothing tells since when it is known"
            )
            continue
        if row["gender"] in ("F", "M"):
            under_way.keep_static(row, f"GENDER//{row['gender']}", None, admitted, Content(part="#gender"))
        too_old = row["dob"] is not None and admitted - row["dob"] > 120 * _YEAR
        born = admitted - _OLDEST * _YEAR if too_old else row["dob"]
        if born is None:
            under_way.ignore("no birth date")
            continue
        said = Content(part="#birth", text="older than 89" if too_old else None)
        under_way.keep_static(row, "MEDS_BIRTH", born - born % DAY, admitted, said)


def admissions(frame: pl.DataFrame, under_way: UnderWay) -> None:
    """Admission, discharge, and death in the hospital."""
    times = ("admittime", "dischtime", "deathtime")
    for row in frame.with_columns(instants(under_way.context.zone, *times)).iter_rows(named=True):
        under_way.keep(
            row, f"HOSPITAL_ADMISSION//{row['admission_type']}", row["admittime"], content=Content(part="#admission")
        )
        if row["dischtime"] is not None:
            where = row.get("discharge_location") or "UNKNOWN"
            under_way.keep(row, f"HOSPITAL_DISCHARGE//{where}", row["dischtime"], content=Content(part="#discharge"))
        if row["deathtime"] is not None:
            under_way.keep(row, "MEDS_DEATH", row["deathtime"], content=Content(part="#death"))


def icu_stays(frame: pl.DataFrame, under_way: UnderWay) -> None:
    """In and out of intensive care."""
    for row in frame.with_columns(instants(under_way.context.zone, "intime", "outtime")).iter_rows(named=True):
        under_way.keep(row, f"ICU_ADMISSION//{row['first_careunit']}", row["intime"], content=Content(part="#in"))
        if row["outtime"] is not None:
            under_way.keep(row, f"ICU_DISCHARGE//{row['last_careunit']}", row["outtime"], content=Content(part="#out"))


def transfers(frame: pl.DataFrame, under_way: UnderWay) -> None:
    """Every place a patient was moved to, by care unit and ward number."""
    for row in frame.with_columns(instants(under_way.context.zone, "intime")).iter_rows(named=True):
        places = [row["curr_careunit"], row["curr_wardid"] and f"ward {row['curr_wardid']}"]
        text = " / ".join(place for place in places if place)
        if text:
            under_way.keep(row, "TRANSFER_TO", row["intime"], content=Content(text=text))
        else:
            under_way.ignore("leaves for no place, as ADMISSIONS says")


def diagnoses(frame: pl.DataFrame, under_way: UnderWay, folder: Path) -> None:
    """Billing codes: true of the stay, made at its discharge and never known before."""
    titles = _titles(folder)
    for row in frame.iter_rows(named=True):
        discharged = under_way.folder.discharge.get(row["hadm_id"])
        code = f"CONDITION//ICD9CM//{row['icd9_code']}"
        under_way.keep(row, code, discharged, delay="diagnosis", content=Content(text=titles.get(row["icd9_code"])))


def _titles(folder: Path) -> dict[str, str]:
    path = beside(folder, "D_ICD_DIAGNOSES")
    if path is None:
        return {}
    try:
        return dict(load(path, ("icd9_code", "short_title")).select("icd9_code", "short_title").rows())
    except Unreadable:
        return {}  # titles are for people; the codes stand without them
