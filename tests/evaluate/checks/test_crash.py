"""Real processes, really killed: what is left is what a run without kills leaves."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from clinical_jepa.evaluate.checks.crash import RELAY_POINTS, TICK_POINTS, CrashReport, Outcome, check_crash

ROOT = Path(__file__).parents[3]


def held(report: CrashReport, kills: int) -> None:
    assert report.real.kills == kills
    assert report.real.passed, report.figure
    assert report.planted.lost > 0, "the planted bug was not seen"
    assert report.passed


@pytest.mark.slow
def test_a_few_kills_lose_and_double_nothing_and_the_planted_bug_is_caught(tmp_path: Path) -> None:
    report = check_crash(6, seed=3, work=tmp_path)
    held(report, 6)
    assert "6 of 6 kills" in report.figure
    assert list(tmp_path.iterdir()) == []


def test_every_point_that_the_tick_and_the_relay_reach_is_one_at_which_the_check_kills() -> None:
    text = "".join(path.read_text() for path in (ROOT / "clinical_jepa").rglob("*.py"))
    named = {name for name in re.findall(r'reached\("([a-z.-]+)"\)', text) if not name.startswith("append.")}
    assert named == {*TICK_POINTS, *RELAY_POINTS}


@pytest.mark.parametrize(
    "wrong", [{"lost": 1}, {"doubled": 1}, {"unexpected": 1}, {"same_ledger": False}, {"expected": 0}]
)
def test_any_loss_or_double_fails_the_check(wrong: dict) -> None:
    good = {
        "kills": 1,
        "points": {},
        "expected": 2,
        "received": 2,
        "lost": 0,
        "doubled": 0,
        "unexpected": 0,
        "posts": 3,
    }
    assert Outcome(**good, same_ledger=True).passed
    assert not Outcome(**{"same_ledger": True, **good, **wrong}).passed


def test_a_harness_that_misses_the_planted_bug_fails_the_check() -> None:
    good = {
        "kills": 1,
        "points": {},
        "expected": 2,
        "received": 2,
        "lost": 0,
        "doubled": 0,
        "unexpected": 0,
        "posts": 3,
    }
    one = Outcome(**good, same_ledger=True)
    assert not CrashReport(wanted=1, real=one, planted=one).passed
    assert "NOT caught" in CrashReport(wanted=1, real=one, planted=one).figure


@pytest.mark.parametrize(("wanted", "kills", "passed"), [(5, 5, True), (5, 6, True), (5, 4, False), (0, 0, False)])
def test_fewer_kills_than_wanted_fail_the_check(wanted: int, kills: int, passed: bool) -> None:
    one = Outcome(
        kills=kills,
        points={},
        expected=2,
        received=2,
        lost=0,
        doubled=0,
        unexpected=0,
        posts=2,
        same_ledger=True,
    )
    report = CrashReport(wanted=wanted, real=one, planted=replace(one, lost=1))
    assert report.passed is passed
    assert f"{kills} of {wanted} kills" in report.figure
