"""Who is in which part depends on the subject alone; nobody is in two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.training.splits import Splits, part, split


@given(st.sets(st.integers(0, 2**48), max_size=60), st.integers(0, 2**48))
def test_company_does_not_matter(subjects, newcomer):
    before, after = split(subjects), split({*subjects, newcomer})
    for name in ("train", "tuning", "calibration", "test"):
        assert set(getattr(before, name)) <= set(getattr(after, name))
    assert newcomer in getattr(after, part(newcomer))


def test_shares_are_as_declared():
    found = split(range(20_000))
    sizes = [len(x) / 20_000 for x in (found.train, found.tuning, found.calibration, found.test)]
    assert sizes == pytest.approx([0.5, 0.1, 0.2, 0.2], abs=0.01)


def test_a_patient_in_two_parts_is_an_error():
    with pytest.raises(ValueError, match="two parts"):
        Splits(train=(1, 2), tuning=(), calibration=(3,), test=(2,))
