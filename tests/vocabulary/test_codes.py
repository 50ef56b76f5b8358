"""The code list, units and ids."""

from __future__ import annotations

import csv
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.vocabulary.codes import (
    HASH_BUCKETS,
    _map_hash,
    by_code,
    by_name,
    code_count,
    code_id,
    code_map_hash,
    codes,
)
from clinical_jepa.vocabulary.identity import content_id, subject_id
from clinical_jepa.vocabulary.tables import schemas
from clinical_jepa.vocabulary.units import conversion


def test_codes_and_names_are_unique_and_parents_exist() -> None:
    assert len(by_code()) == len(by_name()) == len(codes())
    assert {code.parent for code in codes() if code.parent} <= set(by_code())


def test_an_unlisted_code_goes_to_its_listed_prefix_else_to_a_marked_bucket() -> None:
    assert code_id("HOSPITAL_ADMISSION//IMP") == by_code()["HOSPITAL_ADMISSION"].id
    assert len(codes()) <= code_id("LOINC//0000-0") < code_count() == len(codes()) + HASH_BUCKETS


def test_the_hash_of_the_list_follows_what_its_rows_mean_and_no_words_for_people() -> None:
    rows, first = codes(), codes()[0]
    assert code_map_hash() == _map_hash(rows)
    relabelled = (replace(first, name="hr", label="Pulse"), *rows[1:])
    assert _map_hash(relabelled) == code_map_hash()
    for change in ({"code": "X"}, {"kind": "treatment"}, {"unit": "Hz"}, {"low": 1.0}, {"high": 1.0}, {"parent": "X"}):
        assert _map_hash((replace(first, **change), *rows[1:])) != code_map_hash()
    assert _map_hash(rows[::-1]) != code_map_hash() != _map_hash(rows[1:])


# every row of units.csv: value, unit, canonical, expected, each worked out by hand from the definitions of the units
CONVERSIONS = [
    (40.0, "%", "1", 0.4),
    (0.4, "1", "%", 40.0),
    (98.6, "[degF]", "Cel", 37.0),
    (310.15, "K", "Cel", 37.0),
    (16.0, "kPa", "mm[Hg]", 16_000 / 133.322387415),
    (10.0, "cm[H2O]", "mm[Hg]", 980.665 / 133.322387415),
    (7.0, "10*9/L", "10*3/uL", 7.0),  # 1e9 in 1e6 uL
    (7.0, "10*6/mL", "10*3/uL", 7.0),  # 1e6 in 1e3 uL
    (7.0, "/nL", "10*3/uL", 7.0),  # 1 in 1e-3 uL
    (80.0, "{beats}/min", "/min", 80.0),
    (16.0, "{breaths}/min", "/min", 16.0),
    (1.5, "Hz", "/min", 90.0),
    (70.0, "[in_i]", "cm", 177.8),
    (1.8, "m", "cm", 180.0),
    (150.0, "[lb_av]", "kg", 68.0388555),
    (3200.0, "g", "kg", 3.2),
    (1500.0, "mg", "g", 1.5),
    (140.0, "g/L", "g/dL", 14.0),
    (2.5, "mg/dL", "mg/L", 25.0),
    (1.2, "L", "mL", 1200.0),
    (40.0, "[iU]/L", "U/L", 40.0),
    (0.0002, "mg/kg/min", "ug/kg/min", 0.2),
    (3.0, "ug/L", "ng/mL", 3.0),
    (1.1, "{INR}", "1", 1.1),
    (15.0, "{score}", "1", 15.0),
    (15.0, "1", "{score}", 15.0),
    (7.4, "[pH]", "1", 7.4),
    (7.4, "1", "[pH]", 7.4),
    (2.4, "[iU]/h", "[iU]/min", 0.04),
]


def test_every_row_of_the_unit_table_is_checked() -> None:
    with (schemas() / "codes" / "units.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["from"], row["to"]) for row in csv.DictReader(file)}
    assert {(unit, canonical) for _, unit, canonical, _ in CONVERSIONS} == rows


# code: (unit, low, high) of what scores, tasks and labs rest on; a change here is a change of meaning
PINNED = {
    "LOINC//8867-4": ("/min", 0, 350),
    "LOINC//9279-1": ("/min", 0, 120),
    "LOINC//59408-5": ("%", 10, 100),
    "LOINC//8310-5": ("Cel", 20, 45),
    "LOINC//8480-6": ("mm[Hg]", 0, 350),
    "LOINC//8478-0": ("mm[Hg]", 0, 320),
    "LOINC//3150-6": ("%", 15, 100),
    "LOINC//2524-7": ("mmol/L", 0, 40),
    "LOINC//2160-0": ("mg/dL", 0, 50),
    "LOINC//2345-7": ("mg/dL", 1, 2500),
    "LOINC//6690-2": ("10*3/uL", 0, 1000),
    "LOINC//718-7": ("g/dL", 0.5, 30),
    "RXNORM//7512": ("ug/kg/min", 0, 10),
}


def test_units_and_limits_of_what_scores_rest_on_are_pinned() -> None:
    assert {code: (by_code()[code].unit, by_code()[code].low, by_code()[code].high) for code in PINNED} == PINNED


@pytest.mark.parametrize(("value", "unit", "canonical", "expected"), CONVERSIONS)
def test_conversions_equal_the_definitions(value: float, unit: str, canonical: str, expected: float) -> None:
    factors = conversion(unit, canonical)
    assert factors is not None
    assert math.isclose(value * factors[0] + factors[1], expected, rel_tol=1e-9)


def test_mass_to_amount_is_not_guessed() -> None:
    assert conversion("mg/dL", "mmol/L") is None
    assert conversion("bpm", "/min") is None


@given(st.integers(0, 10**9), st.integers(0, 5))
def test_a_numeric_identifier_is_the_same_subject_with_leading_zeros(number: int, zeros: int) -> None:
    assert subject_id("mrn", str(number)) == subject_id("mrn", "0" * zeros + str(number)) > 0


def test_namespace_and_key_separate_subjects() -> None:
    assert len({subject_id("a", "1"), subject_id("b", "1"), subject_id("a", "1", key=b"other")}) == 3


def test_none_and_empty_are_different_content() -> None:
    assert content_id(None) != content_id("") != content_id("", "")
