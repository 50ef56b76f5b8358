"""The tables of MIMIC-III and the shapes their lines have."""

from __future__ import annotations

import polars as pl

from clinical_jepa.records.instant import DAY
from clinical_jepa.sources.columnar.candidates import Clock, Run, candidates
from clinical_jepa.sources.tables import infusions
from clinical_jepa.sources.tables.data_set import Table
from clinical_jepa.sources.tables.mimic import found, of_specimen, sex, specimens, title
from clinical_jepa.sources.tables.shapes import (
    Cells,
    at,
    clock,
    end_of_day,
    first_of,
    lines_of,
    measure,
    named,
    stored_at,
)

_YEAR = 31_557_600_000_000  # a Julian year in µs
_OLDEST = 90  # those older than 89 have birth dates about 300 years back; all that is known is "older than 89"
_CULTURE = 6 * DAY  # no store time here; of MIMIC-IV's results three in four were stored within 134 hours
_ID = ("row_id", "subject_id", "hadm_id")
_SPECIMEN_KEYS = ("subject_id", "charttime")


def birth(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """Birth, known since the first admission."""
    admitted = found("admitted", "subject_id")(run)
    born = clock(pl.col("dob"), run.context.zone)
    old = (admitted - born) > 120 * _YEAR
    born = pl.when(old).then(admitted - _OLDEST * _YEAR).otherwise(born)
    return candidates(
        frame.filter(admitted.is_not_null()),
        part="#birth",
        code="MEDS_BIRTH",
        time=born - born % DAY,
        known=admitted,
        text=pl.when(old).then(pl.lit("older than 89")),
        why=pl.when(born.is_null()).then(pl.lit("no birth date")),
    )


def transfers(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """Every place a patient was moved to, by care unit and ward number."""
    somewhere = pl.col("curr_careunit").is_not_null() | pl.col("curr_wardid").is_not_null()
    rows, nowhere = lines_of(frame, somewhere, "leaves for no place, as ADMISSIONS says")
    ward = pl.concat_str(pl.lit("ward "), "curr_wardid")
    place: Clock = lambda _: pl.concat_str("curr_careunit", ward, separator=" / ", ignore_nulls=True)
    return pl.concat([named(time=at("intime"), text=place)(rows, run), nowhere])


def _later(clock_: Clock, by: int) -> Clock:
    return lambda run: clock_(run) + by


_MICRO_TIME = first_of(at("charttime"), at("chartdate"))
_DICTIONARY = Table(ignored="dictionary", key=())

LAYOUT: dict[str, Table] = {
    "PATIENTS": Table(needed=("row_id", "subject_id", "gender", "dob"), shapes=(sex, birth)),
    "ADMISSIONS": Table(
        needed=(*_ID, "admittime", "dischtime", "deathtime", "admission_type"),
        encounter="hadm_id",
        shapes=(
            named(time=at("admittime"), part="#admission"),
            named(time=at("dischtime"), part="#discharge", needed=False),
            named(time=at("deathtime"), part="#death", needed=False),
        ),
    ),
    "ICUSTAYS": Table(
        needed=(*_ID, "first_careunit", "last_careunit", "intime", "outtime"),
        encounter="hadm_id",
        shapes=(named(time=at("intime"), part="#in"), named(time=at("outtime"), part="#out", needed=False)),
    ),
    "TRANSFERS": Table(
        needed=(*_ID, "curr_careunit", "curr_wardid", "intime"), encounter="hadm_id", shapes=(transfers,)
    ),
    "SERVICES": Table(
        needed=(*_ID, "transfertime", "curr_service"), encounter="hadm_id", shapes=(named(time=at("transfertime")),)
    ),
    "CHARTEVENTS": Table(
        needed=(*_ID, "itemid", "charttime", "value", "valuenum", "valueuom"),
        encounter="hadm_id",
        shapes=(
            measure(
                Cells(item="itemid", value="valuenum", unit="valueuom", wrong="error"),
                time=at("charttime"),
                stored=stored_at("storetime"),
            ),
        ),
    ),
    "LABEVENTS": Table(
        needed=(*_ID, "itemid", "charttime", "value", "valuenum", "valueuom"),
        encounter="hadm_id",
        look=specimens("50800", _SPECIMEN_KEYS),
        shapes=(
            of_specimen(
                measure(
                    Cells(item="itemid", value="valuenum", unit="valueuom", words="value"),
                    time=at("charttime"),
                    kind="lab",
                ),
                _SPECIMEN_KEYS,
            ),
        ),
    ),
    "OUTPUTEVENTS": Table(
        needed=(*_ID, "itemid", "charttime", "value", "valueuom"),
        encounter="hadm_id",
        shapes=(
            measure(
                Cells(item="itemid", value="value", unit="valueuom", wrong="iserror"),
                time=at("charttime"),
                stored=stored_at("storetime"),
            ),
        ),
    ),
    "INPUTEVENTS_CV": Table(needed=infusions.NEEDED_CV, encounter="hadm_id", shapes=(infusions.points,)),
    "INPUTEVENTS_MV": Table(
        needed=infusions.NEEDED_MV,
        encounter="hadm_id",
        look=infusions.starts,
        shapes=(infusions.intervals(), infusions.intervals("#end")),
    ),
    "PROCEDUREEVENTS_MV": Table(
        needed=(*_ID, "itemid", "starttime", "endtime", "storetime", "location"),
        encounter="hadm_id",
        shapes=(
            named(time=at("starttime"), stored=stored_at("storetime"), part="#start"),
            named(time=at("endtime"), stored=stored_at("storetime"), part="#end", needed=False),
        ),
    ),
    "MICROBIOLOGYEVENTS": Table(
        needed=(*_ID, "chartdate", "charttime", "spec_type_desc", "org_name", "ab_name", "interpretation"),
        encounter="hadm_id",
        shapes=(named(time=_MICRO_TIME, latest=_later(_MICRO_TIME, _CULTURE)),),
    ),
    "PRESCRIPTIONS": Table(
        needed=(*_ID, "startdate", "enddate", "drug", "dose_val_rx", "dose_unit_rx", "route"),
        encounter="hadm_id",
        shapes=(
            named(time=at("startdate"), latest=end_of_day("startdate"), part="#start"),
            named(time=at("enddate"), latest=end_of_day("enddate"), part="#end", needed=False),
        ),
    ),
    "DIAGNOSES_ICD": Table(
        needed=(*_ID, "icd9_code"),
        encounter="hadm_id",
        shapes=(named(time=found("discharge", "hadm_id"), text=title("diagnoses", "icd9_code"), kind="diagnosis"),),
    ),
    "PROCEDURES_ICD": Table(
        needed=(*_ID, "icd9_code"),
        encounter="hadm_id",
        shapes=(named(time=found("discharge", "hadm_id"), text=title("procedures", "icd9_code"), kind="diagnosis"),),
    ),
    "DATETIMEEVENTS": Table(ignored="dates of lines, tubes and visits"),
    "CPTEVENTS": Table(ignored="billing"),
    "DRGCODES": Table(ignored="billing"),
    "CALLOUT": Table(ignored="requests for a bed"),
    "NOTEEVENTS": Table(ignored="free text"),
    "CAREGIVERS": _DICTIONARY,
    "D_CPT": _DICTIONARY,
    "D_ICD_DIAGNOSES": _DICTIONARY,
    "D_ICD_PROCEDURES": _DICTIONARY,
    "D_ITEMS": _DICTIONARY,
    "D_LABITEMS": _DICTIONARY,
}
