"""Work in the process beside tells how far it is, its result comes back, and so does its failure."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.wiring import road
from clinical_jepa.wiring.beside import beside


def ward(records_only: int, subjects: int = 1) -> partial[object]:
    return partial(road.simulate, subjects=subjects, hours=12, seed=7, records_only=records_only)


def test_one_after_the_other_each_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with beside() as begin:
        first, second = begin(ward(3), tmp_path / "one"), begin(ward(1), tmp_path / "two")
        assert first(lambda done, total: told.append((done, total)))["records_only"] == 3
        assert second(lambda *_: None)["records_only"] == 1
        assert second(lambda *_: pytest.fail("it is there already"))["records_only"] == 1
    assert told
    assert told == sorted(told)
    assert {total for _, total in told} == {4}


def test_a_failure_there_is_raised_here(tmp_path: Path) -> None:
    with beside() as begin, pytest.raises(BadRequest):
        begin(ward(1, subjects=-1), tmp_path)(lambda *_: None)
