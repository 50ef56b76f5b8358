"""Ages, percentages and values as they are printed."""

from __future__ import annotations

import ast
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from clinical_jepa.records.forecasts import Why
from clinical_jepa.records.instant import DAY, HOUR, MINUTE, SECOND
from clinical_jepa.vocabulary.codes import codes
from clinical_jepa.web import words
from tests.web.fakes import HR, LACTATE, NOW


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (0, "0 s"),
        (59 * SECOND, "59 s"),
        (MINUTE, "1 min"),
        (59 * MINUTE + 59 * SECOND, "59 min"),
        (2 * HOUR, "2 h"),
        (2 * HOUR + 10 * MINUTE, "2 h 10 min"),
        (DAY, "1 d"),
        (3 * DAY + 4 * HOUR, "3 d 4 h"),
        (-5 * MINUTE, "5 min ahead"),
    ],
)
def test_ages(span: int, said: str) -> None:
    assert words.age(span) == said


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "<1"), (0.004, "<1"), (0.01, "1"), (0.472, "47"), (0.99, "99"), (0.999, ">99")]
)
def test_no_risk_is_printed_as_nothing_or_as_certainty(share: float, said: str) -> None:
    assert words.percent(share) == said


def test_zones_and_the_hour_that_comes_twice() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert words.day_time(NOW, berlin) == "Mon 5 Jan 21:00"
    twice = 1_792_890_000 * SECOND  # 2026-10-25T01:00Z, an hour after clocks went back
    assert words.full_time(twice - HOUR, berlin) == "2026-10-25 02:00:00 CEST"
    assert words.full_time(twice, berlin) == "2026-10-25 02:00:00 CET"


def test_values_have_the_decimals_of_their_unit() -> None:
    assert words.number(117.6, HR) == "118"
    assert words.number(3.94, LACTATE) == "3.9"
    assert words.number(None, HR) == words.number(float("nan"), HR) == "–"
    assert words.unit("LOINC//8478-0") == "mmHg"
    assert words.label("LOINC//0000-0") == "LOINC//0000-0"


def test_every_code_and_every_abstention_can_be_said() -> None:
    assert set(words.ABSTENTIONS) == set(Why)
    for code in codes():
        assert words.label(code.code)
        assert words.number(1.0, code.code)


def test_no_word_stands_twice_in_a_table() -> None:
    """Of two entries under one key the first is dead, whatever it says."""
    tables = [node for node in ast.walk(ast.parse(Path(words.__file__).read_text())) if isinstance(node, ast.Dict)]
    for table in tables:
        keys = [ast.unparse(key) for key in table.keys if key is not None]
        assert len(keys) == len(set(keys))
