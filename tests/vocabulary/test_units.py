"""Conversions: certain or refused (hazard: a score computed from wrong units)."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.sources.rows import Fact, Origin, Rows
from clinical_jepa.vocabulary.codes import by_code, by_name
from clinical_jepa.vocabulary.tables import read, schemas
from clinical_jepa.vocabulary.unit_table import rendered, wanted
from clinical_jepa.vocabulary.units import conversion, ucum_of
from tests.vocabulary.units_in_files import units_in_files

CODES = schemas() / "codes"
TABLE = [(row["from"], row["to"]) for row in read(CODES / "units.csv")]

# value, unit, name of the code, value in its canonical unit: each by hand from the definitions
BY_HAND = [
    (98.6, "[degF]", "temperature", 37.0),
    (310.15, "K", "temperature", 37.0),
    (16.0, "kPa", "sbp", 16_000 / 133.322387415),
    (10.0, "cm[H2O]", "cvp", 980.665 / 133.322387415),
    (7.0, "10*9/L", "wbc", 7.0),
    (7.0, "{cells}/nL", "wbc", 7.0),
    (80.0, "{beats}/min", "heart_rate", 80.0),
    (16.0, "{breaths}/min", "resp_rate", 16.0),
    (70.0, "[in_i]", "height", 177.8),
    (150.0, "[lb_av]", "weight", 68.0388555),
    (0.4, "1", "fio2", 40.0),
    (140.0, "g/L", "hemoglobin", 14.0),
    (40.0, "[iU]/L", "alt", 40.0),
    (2.0, "ukat/L", "alt", 120.0),  # 1 kat = 1 mol/s
    (1.1, "{INR}", "inr", 1.1),
    (15.0, "1", "gcs", 15.0),
    (7.4, "1", "ph", 7.4),
    (2.4, "U/h", "vasopressin", 0.04),
    (33.0, "%", "mchc", 33.0),
    (5.5, "mmol/L", "glucose", 99.0858),  # 180.156 g/mol
    (88.4, "umol/L", "creatinine", 0.9999808),  # 113.12 g/mol
    (7.14, "mmol/L", "bun", 20.001996),  # 28.014 g of nitrogen in a mole of urea
    (18.0, "mg/dL", "lactate", 180 / 90.078),  # 90.078 g/mol
    (140.0, "meq/L", "sodium", 140.0),
    (2.5, "meq/L", "calcium_ionised", 1.25),
    (2.0, "meq/L", "magnesium", 2.4305),
    (2.5, "mmol/L", "calcium", 10.0195),
    (17.1, "umol/L", "bilirubin", 0.99979083),
    (5.0, "mmol/L", "cholesterol", 193.332),
]

# unit, name of the code: what is not certain
REFUSED = [
    ("{breaths}/min", "heart_rate"),  # one unit in UCUM, another thing at the bed
    ("{beats}/min", "resp_rate"),
    ("{drops}/min", "heart_rate"),
    ("C", "temperature"),  # coulomb
    ("bpm", "heart_rate"),
    ("mmHg", "sbp"),
    ("degC", "temperature"),
    ("Cel/min", "temperature"),
    ("meq/L", "phosphate"),  # its charge depends on the pH
    ("meq/L", "glucose"),
    ("mmol/L", "hemoglobin"),  # of the chain or of the four: not said
    ("mmol/L", "troponin_t"),
    ("[iU]/L", "crp"),
    ("[iU]/h", "norepinephrine"),
    ("ug/min", "norepinephrine"),  # needs the weight
    ("/min", "norepinephrine"),  # mass by mass is no pure number here
    ("mmol/kg", "osmolality"),
    ("mosm/L", "osmolality"),
    ("[CFU]/mL", "wbc"),
    ("[drp]", "urine"),
    ("Bq", "heart_rate"),
    ("mg/mg", "fio2"),
    ("deg", "inr"),
    ("%", "gcs"),
    ("{T-score}", "gcs"),
    ("mL/min/{1.73_m2}", "cardiac_output"),
    ("K/uL", "wbc"),  # kelvin
    ("", "weight"),
]


@pytest.mark.parametrize(("value", "unit", "name", "expected"), BY_HAND)
def test_conversions_equal_the_definitions(value: float, unit: str, name: str, expected: float) -> None:
    code = by_name()[name]
    factors = conversion(unit, code.unit or "", code=code.code)
    assert factors is not None
    assert math.isclose(value * factors[0] + factors[1], expected, rel_tol=1e-9)


@pytest.mark.parametrize(("unit", "name"), REFUSED)
def test_what_is_not_certain_has_no_conversion(unit: str, name: str) -> None:
    code = by_name()[name]
    assert conversion(unit, code.unit or "", code=code.code) is None


@pytest.mark.parametrize("unit", ["mg/dL", "meq/L", "[iU]/L"])
def test_what_only_the_code_can_tell_is_refused_without_it(unit: str) -> None:
    assert conversion(unit, "mmol/L" if unit != "[iU]/L" else "U/L") is None


def test_the_table_is_what_ucumvert_works_out() -> None:
    assert (CODES / "units.csv").read_text(encoding="utf-8") == rendered(), (
        "units.csv is stale: python -m clinical_jepa.vocabulary.unit_table"
    )


def test_a_wrong_factor_in_the_table_is_seen() -> None:
    lines = rendered().splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("kPa,mm[Hg],"))
    lines[place] = "kPa,mm[Hg],7.5,0"
    assert "\n".join(lines) + "\n" != rendered()


@cache
def registry() -> Any:
    from ucumvert import PintUcumRegistry

    return PintUcumRegistry()


def by_pint(value: float, unit: str, canonical: str) -> float:
    here, there = registry().from_ucum(unit), registry().from_ucum(canonical)
    return float(registry().Quantity(value * here.magnitude, here.units).to(there.units).magnitude / there.magnitude)


PINT = [pair for pair in TABLE if not {*pair} & {"{score}", "[pH]"}]


@given(st.sampled_from(PINT), st.floats(-1e6, 1e6))
def test_every_pair_of_the_table_agrees_with_pint(pair: tuple[str, str], value: float) -> None:
    factors = conversion(*pair)
    assert factors is not None
    assert math.isclose(value * factors[0] + factors[1], by_pint(value, *pair), rel_tol=1e-9, abs_tol=1e-9)


@given(st.sampled_from([pair for pair in TABLE if pair[::-1] in TABLE]), st.floats(-1e6, 1e6))
def test_there_and_back_is_the_same_value(pair: tuple[str, str], value: float) -> None:
    there, back = conversion(*pair), conversion(*pair[::-1])
    assert there is not None
    assert back is not None
    assert math.isclose((value * there[0] + there[1]) * back[0] + back[1], value, rel_tol=1e-12, abs_tol=1e-12)


SUBSTANCES = [row for row in read(CODES / "molar_masses.csv") if row["g_per_mol"]]


@given(st.sampled_from(SUBSTANCES), st.floats(0.001, 1000))
def test_mass_to_amount_agrees_with_pint_chemistry(row: Any, value: float) -> None:
    canonical = by_code()[row["code"]].unit or ""
    other = "mmol/L" if canonical.startswith(("mg", "g")) else "mg/dL"
    factors = conversion(other, canonical, code=row["code"])
    assert factors is not None
    molar = registry().Quantity(float(row["g_per_mol"]), "g/mol")
    there = registry().from_ucum(canonical).units
    theirs = registry().Quantity(value, registry().from_ucum(other).units).to(there, "chemistry", mw=molar).magnitude
    assert math.isclose(value * factors[0], theirs, rel_tol=1e-9)


# abridged standard atomic weights, IUPAC 2021
WEIGHTS = {"H": 1.008, "C": 12.011, "N": 14.007, "O": 15.999, "Na": 22.990, "Mg": 24.305, "P": 30.974, "Cl": 35.45,
           "K": 39.098, "Ca": 40.078}  # fmt: skip


@pytest.mark.parametrize("row", SUBSTANCES, ids=lambda row: row["code"])
def test_molar_masses_are_the_sums_of_their_atoms(row: Any) -> None:
    parts = re.findall(r"([A-Z][a-z]?)(\d*)", row["formula"])
    assert math.isclose(
        sum(WEIGHTS[atom] * int(count or 1) for atom, count in parts), float(row["g_per_mol"]), rel_tol=1e-5
    )


def test_every_rule_and_substance_names_listed_codes_and_is_no_guess() -> None:
    for name, column in (("unit_rules.csv", "codes"), ("annotations.csv", "codes"), ("molar_masses.csv", "code")):
        for row in read(CODES / name):
            assert set(row[column].split()) <= set(by_code()), row.where
    for row in read(CODES / "unit_rules.csv"):
        assert row["codes"], f"{row.where}: a rule for every code would be UCUM's to say"
        assert row["to"] in wanted(), row.where


@pytest.mark.slow
def test_every_unit_of_the_real_files_has_its_verdict(data: Path) -> None:
    table = {(row["system"], row["written"]): row for row in read(CODES / "units_met.csv")}
    assert units_in_files(data) <= set(table)
    for (system, written), row in table.items():
        assert (row["ucum"] == "") == (row["why"] != ""), row.where
        if system != "ucum":
            assert ucum_of(written, system) == (row["ucum"] or None), row.where
        elif row["ucum"]:
            assert row["ucum"] == written, row.where
        else:  # under UCUM's name, and no unit of UCUM, or of something else
            takers = [
                code.code for code in by_code().values() if code.unit and conversion(written, code.unit, code=code.code)
            ]
            assert takers == [], row.where


def test_free_text_is_read_without_regard_to_case_and_blanks_where_that_is_certain() -> None:
    assert ucum_of("MG/DL") == ucum_of("mg / dl") == "mg/dL"
    assert ucum_of("mm Hg.") == "mm[Hg]"
    assert ucum_of("units") is ucum_of("C") is ucum_of("nonsense") is None
    assert {ucum_of(text) for text in ("K/µL", "k/\u03bcl", "thou/uL", "x10E3/uL", "10*3/uL")} == {"10*3/uL"}


def test_a_word_of_a_system_means_that_there_alone() -> None:
    assert (ucum_of("262688", "MDC"), ucum_of("262688")) == ("%", None)
    assert (ucum_of("°", "WFDB"), ucum_of("°")) == ("deg", None)
    assert ucum_of("bpm", "MDC") == ucum_of("bpm", "WFDB") == "/min", "else it is free text"


def test_a_unit_of_the_code_list_is_its_own_spelling() -> None:
    assert all(ucum_of(code.unit) == code.unit for code in by_code().values() if code.unit)


def fact(value: float, unit: str | None, name: str) -> Fact:
    code = by_name()[name].code
    return Fact(
        key="k", subject_id=1, code=code, time=1, available_time=1, available_basis="issued", value=value, unit=unit
    )


def test_glucose_without_a_unit_or_in_a_wrong_one_is_not_decided_by_its_range() -> None:
    rows, origin = Rows(), Origin(source="test", file="a", record="1")
    assert rows.add(fact(5.5, "mmol/L", "glucose"), origin)
    assert rows.add(fact(5.5, "mg/dL", "glucose"), origin)  # 5.5 mg/dL is said, and can be: it is kept as said
    assert not rows.add(fact(5.5, None, "glucose"), origin)
    low, wrong = rows.table()["numeric_value"].to_pylist()
    assert (low, wrong) == pytest.approx((99.0858, 5.5))
    assert [one.reason for one in rows.rejections] == ["no-unit"]


@pytest.mark.parametrize("value", [36.8, 98.2, 310.0])
def test_an_unlabelled_temperature_is_not_guessed(value: float) -> None:
    rows = Rows()
    assert not rows.add(fact(value, None, "temperature"), Origin(source="test", file="a", record="1"))
    assert rows.rejections[0].reason == "no-unit"


def test_ucumvert_is_loaded_only_for_a_unit_outside_the_table() -> None:
    program = (
        "import sys; from clinical_jepa.vocabulary.units import conversion as c\n"
        "assert c('kPa', 'mm[Hg]') and c('mmol/L', 'mg/dL', code='LOINC//2345-7') and not c('kcal', 'mm[Hg]')\n"
        "assert 'pint' not in sys.modules and 'ucumvert' not in sys.modules\n"
        "assert c('mg/cL', 'mg/dL') == (10.0, 0.0) and 'ucumvert' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
