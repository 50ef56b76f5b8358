"""The code list, units and ids."""

from __future__ import annotations

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


# value, unit, canonical, expected: computed by hand from the definitions of the units
CONVERSIONS = [
    (98.6, "[degF]", "Cel", 37.0),
    (310.15, "K", "Cel", 37.0),
    (16.0, "kPa", "mm[Hg]", 16_000 / 133.322387415),
    (10.0, "cm[H2O]", "mm[Hg]", 980.665 / 133.322387415),
    (70.0, "[in_i]", "cm", 177.8),
    (150.0, "[lb_av]", "kg", 68.0388555),
    (0.4, "1", "%", 40.0),
    (7.0, "10*9/L", "10*3/uL", 7.0),
]


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
