"""What each data set's own rules give, against facts written down by hand."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.instant import DAY, HOUR, MINUTE
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables.data_sets import DataSet, reader
from clinical_jepa.vocabulary.identity import subject_id
from tests.sources.tables.builders import together
from tests.sources.tables.made import EICU, LABORATORY, MADE, NURSE_CHARTING, outcome, reasons, stay_2019

YEAR = 31_557_600_000_000


def rows(batch: SourceBatch, unit: int) -> set[tuple[object, ...]]:
    """(code, time, available, basis, value or text) with times as multiples of ``unit`` since 1970."""
    times = [batch.events[name].cast(pa.int64()).to_pylist() for name in ("time", "available_time")]
    found = set()
    for row, time, available in zip(batch.events.to_pylist(), *times, strict=True):
        said = row["text_value"] if row["numeric_value"] is None else round(row["numeric_value"], 3)
        at = None if time is None else time / unit
        found.add((row["code"], at, available / unit, row["available_basis"], said))
    return found


def read(folder: Path, data_set: DataSet, name: str, text: str) -> SourceBatch:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return together(reader(data_set).read(path, ReadContext(root=folder)))


def test_a_stay_of_2012_begins_its_own_clock(tmp_path: Path) -> None:
    made = MADE["cinc2012"]
    more = [
        "00:00,Height,-1",
        "00:00,ICUType,3",
        "00:07,Temp,36.5",
        "00:07,FiO2,0.5",
        "01:30,Mg,2.1",
        "01:30,K,4",
        "02:00,HR,0",
    ]
    made.write(tmp_path, [*made.rows, *more])
    batch, lines = outcome(made, tmp_path)
    assert rows(batch, MINUTE) == {
        ("MEDS_BIRTH", -54 * YEAR / MINUTE, 0, "assumed", None),
        ("GENDER//F", None, 0, "assumed", None),
        ("ICU_ADMISSION//Medical ICU", 0, 0, "delay", None),
        ("LOINC//8867-4", 7, 7, "delay", 73.0),
        ("LOINC//8310-5", 7, 7, "delay", 36.5),
        ("LOINC//3150-6", 7, 7, "delay", 50.0),  # a fraction, by the documentation
        ("CINC2012//Mg", 90, 150, "delay", 2.1),  # documentation and values disagree: not converted
        ("LOINC//2823-3", 90, 150, "delay", 4.0),
        ("LOINC//8867-4", 36 * 60 + 7, 36 * 60 + 7, "delay", 75.0),
        ("LOINC//8310-5", 48 * 60, 48 * 60, "delay", 36.5),
    }
    assert lines.ignored == {"the number of the stay": 1, "unknown, written as a number": 1}
    assert reasons(batch) == {"implausible": 1}
    (who,) = batch.identities
    assert (who.namespace, who.identifier) == ("cinc2012~relative", "132539")
    assert set(batch.events["source"].to_pylist()) == {"relative:cinc2012"}
    units = {row["code"]: row["unit"] for row in batch.events.to_pylist()}
    assert units["CINC2012//Mg"] == "mmol/L"


def test_a_category_that_the_documentation_does_not_have_is_no_fact(tmp_path: Path) -> None:
    made = MADE["cinc2012"]
    made.write(tmp_path, ["00:00,Gender,2", "00:00,Gender,-1", "00:00,ICUType,9"])
    batch, lines = outcome(made, tmp_path)
    assert batch.events.num_rows == 0
    assert lines.ignored == {
        "a category that the documentation does not have": 1,
        "unknown, written as a number": 1,
        "item not in the code map": 1,
    }


def test_outcomes_of_2012_are_known_when_they_can_be(tmp_path: Path) -> None:
    text = "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death\n132539,6,1,5,-1,0\n132540,-1,8,8,1,1\n"
    batch = read(tmp_path, "cinc2012", "Outcomes-a.txt", text)
    assert rows(batch, DAY) == {
        ("HOSPITAL_DISCHARGE//ALIVE", 5, 6, "delay", None),
        ("CINC2012//SAPS-I", 2, 2, "assumed", 6.0),
        ("CINC2012//SOFA", 2, 2, "assumed", 1.0),
        ("HOSPITAL_DISCHARGE//DEAD", 8, 9, "delay", None),
        ("CINC2012//SOFA", 2, 2, "assumed", 8.0),
        ("MEDS_DEATH", 1, 2, "delay", "in hospital"),
    }


def test_a_stay_of_2019_tells_its_sepsis_when_it_ends(tmp_path: Path) -> None:
    made = MADE["cinc2019"]
    still = {"Age": 62.5, "Gender": 1, "Unit1": "NaN", "HospAdmTime": -2.5}
    hours = [
        stay_2019(**still, ICULOS=n, SepsisLabel=int(n >= 6), **({"Lactate": 2.5} if n == 3 else {}))
        for n in range(3, 16)
    ]
    made.write(tmp_path, hours)
    batch, lines = outcome(made, tmp_path)
    assert rows(batch, HOUR) == {
        ("MEDS_BIRTH", -62.5 * YEAR / HOUR, 0, "assumed", None),
        ("GENDER//M", None, 0, "assumed", None),
        ("ICU_ADMISSION//UNKNOWN", 0, 0, "assumed", None),
        ("HOSPITAL_ADMISSION//UNKNOWN", -2.5, -2.5, "assumed", None),
        ("CINC2019//Lactate", 3, 4, "delay", 2.5),
        ("CONDITION//CINC2019//SEPSIS", 12, 15, "delay", None),  # six hours after the label; known at the end
    }
    assert lines.ignored == {"a line without any fact": 11}


def test_a_stay_labelled_from_its_first_row_says_so(tmp_path: Path) -> None:
    made = MADE["cinc2019"]
    made.write(tmp_path, [stay_2019(Age=50, Gender=0, ICULOS=n, SepsisLabel=1) for n in (2, 3)])
    batch, _ = outcome(made, tmp_path)
    told = {row["text_value"] for row in batch.events.to_pylist() if row["code"].endswith("SEPSIS")}
    assert told == {"onset then or earlier: labelled from the first row"}


def test_an_eicu_stay_begins_its_own_clock(tmp_path: Path) -> None:
    MADE["eicu"].write(tmp_path)
    batch = together(reader("eicu").read(tmp_path / "patient.csv", ReadContext(root=tmp_path)))
    first = next(one.subject_id for one in batch.identities if one.identifier == "11")
    assert first == subject_id("eicu~relative", "11")
    of_first = SourceBatch(events=batch.events.filter(pc.equal(batch.events["subject_id"], first)))
    assert rows(of_first, MINUTE) == {
        ("MEDS_BIRTH", -90 * YEAR / MINUTE, 0, "assumed", "older than 89"),
        ("GENDER//F", None, 0, "assumed", None),
        ("PERSON", None, 0, "assumed", "002-1"),
        ("HOSPITAL_ADMISSION//Emergency Department", -60, -60, "assumed", None),
        ("ICU_ADMISSION//MICU", 0, 0, "assumed", None),
        ("ICU_DISCHARGE//Floor", 2000, 2000, "assumed", None),
        ("HOSPITAL_DISCHARGE//Home", 3000, 3000, "assumed", None),
        ("LOINC//8302-2", 0, 0, "delay", 160.0),
        ("LOINC//29463-7", 0, 0, "delay", 55.0),
    }
    codes = batch.events["code"].to_pylist()
    assert (codes.count("MEDS_DEATH"), set(batch.events["source"].to_pylist())) == (1, {"relative:eicu:patient"})


def test_eicu_vital_signs_and_nurses_charting(tmp_path: Path) -> None:
    """Neither table is in the open demo: these lines are made up, with the published columns."""
    MADE["eicu"].write(tmp_path)
    periodic = (
        "vitalperiodicid,patientunitstayid,observationoffset,temperature,sao2,heartrate,respiration,cvp,etco2,"
        "systemicsystolic\n1,11,5,,97,88,18,,,121\n2,11,-5,96.1,,,,,,\n"
    )
    found = rows(read(tmp_path, "eicu", "vitalPeriodic.csv", periodic), MINUTE)
    assert found == {
        ("MDC//150456", 5, 5, "delay", 97.0),
        ("MDC//147842", 5, 5, "delay", 88.0),
        ("MDC//151562", 5, 5, "delay", 18.0),
        ("MDC//150033", 5, 5, "delay", 121.0),
    }
    charted = (
        f"{NURSE_CHARTING}\n1,11,10,15,Vital Signs,Temperature,Temperature (F),98.6\n"
        "2,11,20,15,Vital Signs,Heart Rate,Heart Rate,90\n3,11,20,25,Other,Orders,Diet,soup\n"
    )
    found = rows(read(tmp_path, "eicu", "nurseCharting.csv", charted), MINUTE)
    assert found == {("LOINC//8310-5", 10, 15, "issued", 37.0), ("LOINC//8867-4", 20, 20, "clamped", 90.0)}


def test_an_eicu_result_with_two_units_is_decided_by_the_one_that_is_not_spelled(tmp_path: Path) -> None:
    (tmp_path / "patient.csv").write_text(EICU["patient.csv"])
    lines = [
        "1,11,60,1,Hgb,9.5,9.5,g/dL,gm/dL,90",
        "2,11,60,1,magnesium,1.9,1.9,mg/dL,MEQ/L,90",
        "3,11,60,1,ionized calcium,4.4,4.4,mg/dL,mmol/L,90",
        "4,11,60,1,troponin - I,,<0.02,ng/mL,ng/mL,",
        "5,11,60,1,anion gap,12,12,,,90",
    ]
    batch = read(tmp_path, "eicu", "lab.csv", "\n".join([LABORATORY, *lines, ""]))
    assert rows(batch, MINUTE) == {
        ("LOINC//718-7", 60, 90, "issued", 9.5),
        ("EICU//ionized calcium", 60, 90, "issued", 4.4),
        ("LOINC//10839-9", 60, 120, "delay", "<0.02"),
        ("LOINC//1863-0", 60, 90, "issued", 12.0),
    }
    assert [(one.reason, one.record) for one in batch.rejections] == [("unknown-unit", "labid 2")]


def test_mimic_4_chart_and_infusions(tmp_path: Path) -> None:
    """``chartevents`` is not in the open demo: these lines are made up, with the published columns."""
    made = MADE["mimic4"]
    late = "7,70,700,1,2150-10-24 06:00:00,2150-10-24 05:30:00,223761,98.6,98.6,°F,0"
    text = "7,70,700,1,2150-10-24 06:00:00,,220045,high,,bpm,0"
    made.write(tmp_path, [made.rows[0], late, text])
    batch, lines = outcome(made, tmp_path)
    hours = {(code, basis, said) for code, _, _, basis, said in rows(batch, HOUR)}
    assert hours == {("LOINC//8867-4", "issued", 81.0), ("LOINC//8310-5", "clamped", 37.0)}
    assert lines.ignored == {"mapped item without a number": 1}
    head = (
        "subject_id,hadm_id,stay_id,caregiver_id,starttime,endtime,storetime,itemid,amount,amountuom,rate,rateuom,"
        "orderid,statusdescription"
    )
    drip = [
        "7,70,700,1,2150-10-24 01:00:00,2150-10-24 02:00:00,2150-10-24 01:01:00,221906,1,mg,0.2,mcg/kg/min,1,ChangeDose/Rate",
        "7,70,700,1,2150-10-24 02:00:00,2150-10-24 03:00:00,2150-10-24 02:01:00,221906,1,mg,0.1,mcg/kg/min,1,FinishedRunning",
    ]
    batch = read(tmp_path, "mimic4", "icu/inputevents.csv", "\n".join([head, *drip, ""]))
    values = sorted((row["time"].hour, round(row["numeric_value"], 3)) for row in batch.events.to_pylist())
    assert values == [(1, 0.2), (2, 0.1), (3, 0.0)]
