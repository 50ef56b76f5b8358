"""The code list, units and ids."""

from __future__ import annotations

from dataclasses import replace

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


@given(st.integers(0, 10**9), st.integers(0, 5))
def test_a_numeric_identifier_is_the_same_subject_with_leading_zeros(number: int, zeros: int) -> None:
    assert subject_id("mrn", str(number)) == subject_id("mrn", "0" * zeros + str(number)) > 0


def test_namespace_and_key_separate_subjects() -> None:
    assert len({subject_id("a", "1"), subject_id("b", "1"), subject_id("a", "1", key=b"other")}) == 3


def test_none_and_empty_are_different_content() -> None:
    assert content_id(None) != content_id("") != content_id("", "")
