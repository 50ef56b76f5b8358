"""Limits of plausibility: mistakes of open data are outside, extremes of living patients inside."""

from __future__ import annotations

import pytest

from clinical_jepa.sources.rows import Fact, Origin, Rows
from clinical_jepa.vocabulary.codes import by_name, codes

# name, value, unit as the set states it: what CinC 2012, CinC 2019 and the MIMIC-III demo hold and nobody can have
MISTAKES = [
    ("temperature", -17.8, "Cel"),  # 0 Fahrenheit
    ("temperature", 0.0, "Cel"),
    ("temperature", 98.6, "Cel"),  # Fahrenheit under the other name
    ("temperature", 37.0, "[degF]"),
    ("ph", 735.0, "[pH]"),  # a lost point
    ("ph", 0.0, "[pH]"),
    ("height", 462.0, "cm"),
    ("height", 1.8, "cm"),  # metres
    ("weight", 0.0, "kg"),
    ("wbc", 12_500.0, "10*3/uL"),  # a count by microlitre
    ("sao2", 1.06, "%"),  # fractions under %
    ("spo2", 0.97, "%"),
    ("fio2", 0.21, "%"),
    ("fio2", 10.0, "1"),  # litres a minute
    ("fio2", 0.0, "1"),
    ("potassium", 22.9, "meq/L"),
    ("potassium", 27.5, "mmol/L"),
    ("bicarbonate", 0.0, "mmol/L"),
    ("base_excess", 100.0, "mmol/L"),
    ("peep", 2_222_221.7, "cm[H2O]"),
    ("gcs", 2.0, "{score}"),
    ("gcs", 16.0, "{score}"),
    ("gcs_eye", 5.0, "{score}"),
    ("age", 300.0, "a"),  # of MIMIC's patients older than 89
    ("creatinine", 88.4, "mg/dL"),  # micromoles under the other name
    ("hemoglobin", 140.0, "g/dL"),
    ("calcium", 2.4, "g/L"),
]

# what patients had and lived with, or did not
EXTREMES = [
    ("temperature", 24.0, "Cel"),
    ("temperature", 42.3, "Cel"),
    ("ph", 6.6, "[pH]"),
    ("ph", 7.8, "[pH]"),
    ("heart_rate", 0.0, "{beats}/min"),
    ("heart_rate", 280.0, "/min"),
    ("sbp", 0.0, "mm[Hg]"),
    ("sbp", 300.0, "mm[Hg]"),
    ("spo2", 40.0, "%"),
    ("weight", 472.0, "kg"),
    ("weight", 600.0, "g"),
    ("height", 251.0, "cm"),
    ("wbc", 600.0, "10*9/L"),
    ("platelets", 1.0, "10*9/L"),
    ("glucose", 110.0, "mmol/L"),
    ("sodium", 180.0, "mmol/L"),
    ("potassium", 11.0, "mmol/L"),
    ("lactate", 30.0, "mmol/L"),
    ("bilirubin", 1000.0, "umol/L"),
    ("hemoglobin", 1.8, "g/dL"),
    ("fibrinogen", 9.0, "g/L"),
    ("base_excess", -35.0, "meq/L"),
    ("troponin_t", 24.0, "ug/L"),
    ("fio2", 0.21, "1"),
    ("paco2", 20.0, "kPa"),
    ("urine", 0.0, "mL"),
]


def rejected(name: str, value: float, unit: str) -> list[str]:
    fact = Fact(
        key="k",
        subject_id=1,
        code=by_name()[name].code,
        time=1,
        available_time=1,
        available_basis="issued",
        value=value,
        unit=unit,
    )
    rows = Rows()
    rows.add(fact, Origin(source="test", file="a", record="1"))
    return [one.reason for one in rows.rejections]


@pytest.mark.parametrize(("name", "value", "unit"), MISTAKES)
def test_the_mistakes_of_open_data_are_refused(name: str, value: float, unit: str) -> None:
    assert rejected(name, value, unit) == ["implausible"]


@pytest.mark.parametrize(("name", "value", "unit"), EXTREMES)
def test_extremes_of_living_patients_are_kept(name: str, value: float, unit: str) -> None:
    assert rejected(name, value, unit) == []


def test_every_code_with_a_unit_has_both_limits_and_every_monitor_its_charted_ones_unit() -> None:
    known = {code.code: code for code in codes()}
    for code in codes():
        if code.unit is not None:
            assert code.low is not None, code.code
            assert code.high is not None, code.code
            assert code.low < code.high, code.code
        if code.parent is not None:
            assert known[code.parent].unit == code.unit, code.code


# the columns of the sets that are read as tables, and the short name each one maps to
CINC_2012 = "albumin alp alt ast bilirubin bun cholesterol creatinine dbp fio2 gcs glucose bicarbonate hematocrit heart_rate " \
    "potassium lactate magnesium map ventilation sodium sbp paco2 pao2 ph platelets resp_rate sao2 temperature troponin_i " \
    "troponin_t urine wbc weight height age"  # fmt: skip
CINC_2019 = "heart_rate spo2 temperature sbp map dbp resp_rate etco2 base_excess bicarbonate fio2 ph paco2 sao2 ast bun alp " \
    "calcium chloride creatinine bilirubin_direct glucose lactate magnesium phosphate potassium bilirubin troponin_i " \
    "hematocrit hemoglobin ptt wbc fibrinogen platelets age"  # fmt: skip


@pytest.mark.parametrize("named", [CINC_2012, CINC_2019], ids=["CinC 2012", "CinC 2019"])
def test_the_list_has_what_the_challenges_measure(named: str) -> None:
    assert set(named.split()) <= set(by_name())
