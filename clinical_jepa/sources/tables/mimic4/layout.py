"""The tables of MIMIC-IV and the shapes their lines have."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from clinical_jepa.sources.columnar.candidates import Run, candidates
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
    number,
    stored_at,
)

_WHO = ("subject_id", "hadm_id")
_CHARTED = ("itemid", "charttime", "storetime", "value", "valueuom")
_SPECIMEN_KEYS = ("subject_id", "specimen_id")
_CEILING = 91  # the age of all who are older than 89
_VALUENUM = Cells(item="itemid", value="valuenum", unit="valueuom")
_MICRO_TIME = first_of(at("charttime"), at("chartdate"))
_CODED = first_of(found("discharge", "hadm_id"), end_of_day("chartdate"))  # procedures are coded when a stay ends


def birth(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """The year of birth (1 January stands for it), known since the first admission."""
    admitted = found("admitted", "subject_id")(run)
    age = number(pl.col("anchor_age"))
    year = number(pl.col("anchor_year")) - age
    first = pl.concat_str(year.cast(pl.Int64, strict=False).cast(pl.String), pl.lit("-01-01"))
    return candidates(
        frame.filter(admitted.is_not_null()),
        part="#birth",
        code="MEDS_BIRTH",
        time=clock(first, run.context.zone),
        known=admitted,
        text=pl.when(age >= _CEILING).then(pl.lit("older than 89")).otherwise(pl.lit("year only")),
        why=pl.when(year.is_null()).then(pl.lit("no age")),
    )


def places(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """Every place a patient was moved to."""
    rows, nowhere = lines_of(frame, pl.col("careunit").is_not_null(), "leaves for no place, as admissions says")
    return pl.concat([named(time=at("intime"))(rows, run), nowhere])


def _hosp() -> dict[str, Table]:
    return {
        "patients": Table(
            needed=("subject_id", "gender", "anchor_age", "anchor_year"), key=("subject_id",), shapes=(sex, birth)
        ),
        "admissions": Table(
            needed=(*_WHO, "admittime", "dischtime", "deathtime", "admission_type", "edregtime", "edouttime"),
            key=("hadm_id",),
            encounter="hadm_id",
            shapes=(
                named(time=at("admittime"), part="#admission"),
                named(time=at("dischtime"), part="#discharge", needed=False),
                named(time=at("deathtime"), part="#death", needed=False),
                named(time=at("edregtime"), part="#ed-in", needed=False),
                named(time=at("edouttime"), part="#ed-out", needed=False),
            ),
        ),
        "transfers": Table(
            needed=(*_WHO, "transfer_id", "careunit", "intime"),
            key=("transfer_id",),
            encounter="hadm_id",
            shapes=(places,),
        ),
        "services": Table(
            needed=(*_WHO, "transfertime", "curr_service"),
            key=("hadm_id", "transfertime", "curr_service"),
            encounter="hadm_id",
            shapes=(named(time=at("transfertime")),),
        ),
        "labevents": Table(
            needed=("labevent_id", *_WHO, "specimen_id", *_CHARTED, "valuenum"),
            key=("labevent_id",),
            encounter="hadm_id",
            look=specimens("52033", _SPECIMEN_KEYS),
            shapes=(
                of_specimen(
                    measure(
                        replace(_VALUENUM, words="value"),
                        time=at("charttime"),
                        stored=stored_at("storetime"),
                        kind="lab",
                    ),
                    _SPECIMEN_KEYS,
                ),
            ),
        ),
        "microbiologyevents": Table(
            needed=("microevent_id", *_WHO, "charttime", "chartdate", "storetime", "storedate", "spec_type_desc"),
            key=("microevent_id",),
            encounter="hadm_id",
            shapes=(named(time=_MICRO_TIME, stored=first_of(at("storetime"), end_of_day("storedate")), kind="lab"),),
        ),
        "omr": Table(
            needed=("subject_id", "chartdate", "seq_num", "result_name", "result_value"),
            key=("subject_id", "chartdate", "seq_num", "result_name"),
            shapes=(
                measure(
                    Cells(item="result_name", value="result_value"),
                    time=at("chartdate"),
                    stored=end_of_day("chartdate"),
                ),
            ),
        ),
    }


def _drugs_and_bills() -> dict[str, Table]:
    return {
        "prescriptions": Table(
            needed=(*_WHO, "pharmacy_id", "starttime", "stoptime", "drug_type", "drug", "dose_val_rx", "dose_unit_rx"),
            key=("subject_id", "pharmacy_id", "drug_type", "drug", "starttime", "dose_val_rx", "dose_unit_rx"),
            shown=("pharmacy_id", "drug_type"),
            encounter="hadm_id",
            shapes=(
                named(time=at("starttime"), part="#start"),
                named(time=at("stoptime"), part="#end", needed=False),
            ),
        ),
        "emar": Table(
            needed=(*_WHO, "emar_id", "charttime", "storetime", "medication", "event_txt"),
            key=("emar_id",),
            encounter="hadm_id",
            shapes=(named(time=at("charttime"), stored=stored_at("storetime")),),
        ),
        "diagnoses_icd": Table(
            needed=(*_WHO, "seq_num", "icd_code", "icd_version"),
            key=("hadm_id", "seq_num", "icd_code"),
            encounter="hadm_id",
            shapes=(named(time=found("discharge", "hadm_id"), text=title("diagnoses", "icd_code"), kind="diagnosis"),),
        ),
        "procedures_icd": Table(
            needed=(*_WHO, "seq_num", "chartdate", "icd_code", "icd_version"),
            key=("hadm_id", "seq_num", "icd_code"),
            encounter="hadm_id",
            shapes=(named(time=at("chartdate"), latest=_CODED, text=title("procedures", "icd_code")),),
        ),
        "emar_detail": Table(ignored="details of doses, without a time"),
        "pharmacy": Table(ignored="orders to the pharmacy"),
        "poe": Table(ignored="orders"),
        "poe_detail": Table(ignored="orders"),
        "drgcodes": Table(ignored="billing"),
        "hcpcsevents": Table(ignored="billing"),
        **dict.fromkeys(
            ("d_hcpcs", "d_icd_diagnoses", "d_icd_procedures", "d_labitems", "provider"), Table(ignored="dictionary")
        ),
    }


def _icu() -> dict[str, Table]:
    return {
        "icustays": Table(
            needed=(*_WHO, "stay_id", "first_careunit", "last_careunit", "intime", "outtime"),
            key=("stay_id",),
            encounter="hadm_id",
            shapes=(named(time=at("intime"), part="#in"), named(time=at("outtime"), part="#out", needed=False)),
        ),
        "chartevents": Table(
            needed=(*_WHO, "stay_id", *_CHARTED, "valuenum"),
            key=("subject_id", "stay_id", "itemid", "charttime", "valuenum"),
            shown=("stay_id", "itemid", "charttime"),
            encounter="hadm_id",
            shapes=(measure(_VALUENUM, time=at("charttime"), stored=stored_at("storetime")),),
        ),
        "outputevents": Table(
            needed=(*_WHO, "stay_id", *_CHARTED),
            key=("subject_id", "stay_id", "itemid", "charttime", "value"),
            shown=("stay_id", "itemid", "charttime"),
            encounter="hadm_id",
            shapes=(measure(replace(_VALUENUM, value="value"), time=at("charttime"), stored=stored_at("storetime")),),
        ),
        "inputevents": Table(
            needed=(*infusions.NEEDED_MV, "stay_id", "orderid"),
            key=("subject_id", "stay_id", "orderid", "itemid", "starttime", "endtime", "amount", "rate"),
            shown=("stay_id", "orderid", "itemid", "starttime"),
            encounter="hadm_id",
            look=infusions.starts,
            shapes=(infusions.intervals(), infusions.intervals("#end")),
        ),
        "procedureevents": Table(
            needed=(*_WHO, "stay_id", "orderid", "itemid", "starttime", "endtime", "storetime", "location"),
            key=("subject_id", "stay_id", "orderid", "itemid", "starttime"),
            shown=("stay_id", "orderid", "itemid"),
            encounter="hadm_id",
            shapes=(
                named(time=at("starttime"), stored=stored_at("storetime"), part="#start"),
                named(time=at("endtime"), stored=stored_at("storetime"), part="#end", needed=False),
            ),
        ),
        "ingredientevents": Table(ignored="what infusions and food are made of"),
        "datetimeevents": Table(ignored="dates of lines, tubes and visits"),
        "caregiver": Table(ignored="dictionary"),
        "d_items": Table(ignored="dictionary"),
    }


LAYOUT: dict[str, Table] = {**_hosp(), **_icu(), **_drugs_and_bills()}
FOLDERS = {"hosp": (*_hosp(), *_drugs_and_bills()), "icu": tuple(_icu())}
