"""The tick: one commit, idempotent, and a memory that never depends on how its past came to be known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinical_jepa.evaluate.checks.script import Line, admission, at, discharge, pressures
from clinical_jepa.monitor.ward import Ward
from clinical_jepa.records.errors import WrongModel
from clinical_jepa.records.forecasts import Abstention, Forecast, Why
from clinical_jepa.store import crash_points
from tests.monitor.scenes import RULES, Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene.open(tmp_path)


def calm(subject: int, until: int, value: float = 80.0) -> list[Line]:
    return [*admission(subject), *pressures(subject, [(minute, value) for minute in range(2, until, 10)])]


def test_a_tick_says_something_of_everyone_on_the_ward(scene: Scene) -> None:
    scene.history([*calm(1, 300), *calm(2, 300)])
    report = scene.tick(180)
    assert (report.patients, report.forecasts, report.abstentions, report.already_done) == (2, 2, 0, False)
    outcomes = scene.ward.ledger.outcomes(since=at(180), until=at(180))
    assert all(isinstance(one, Forecast) and len(one.bands) == 16 for one in outcomes)


def test_the_same_tick_twice_is_one_tick(scene: Scene) -> None:
    scene.history(calm(1, 300, 67.0))
    first = scene.tick(180)
    before = scene.ward.ledger.dump()
    again = scene.tick(180)
    assert (first.messages, again.already_done, again.messages) == (2, True, 0)
    assert scene.tick(170).already_done
    assert scene.ward.ledger.dump() == before


def test_seconds_are_cut_off(scene: Scene) -> None:
    scene.history(calm(1, 300))
    scene.tick(180.9)
    assert scene.ward.ledger.last_tick() == (at(180), 1)


@pytest.mark.parametrize("point", ["tick.before-step", "tick.before-commit", "commit.after-transitions", "commit.done"])
def test_a_tick_that_dies_anywhere_is_done_again_with_the_same_result(tmp_path: Path, point: str) -> None:
    scenes = [Scene.open(tmp_path / name) for name in ("one", "two")]
    for scene in scenes:
        scene.history(calm(1, 300, 67.0))
        scene.tick(180)
        scene.history(pressures(1, [(185, 75.0), (186, 80.0)]))

    class Killed(BaseException):
        pass

    def die(name: str) -> None:
        if name == point:
            raise Killed

    crash_points.install(die)
    try:
        with pytest.raises(Killed):
            scenes[0].tick(195)
    finally:
        crash_points.install(None)
    for scene in scenes:
        scene.tick(195)
    assert scenes[0].ward.ledger.dump() == scenes[1].ward.ledger.dump()


def test_a_discharged_patient_is_stepped_for_what_still_comes_but_nothing_is_forecast(scene: Scene) -> None:
    scene.history([*calm(1, 200), discharge(1, 200), Line(subject=1, time=190, value=60.0, known=230)])
    reports = scene.ticks(195, 210, 225, 240, 255)
    assert [one.patients for one in reports] == [1, 1, 0, 1, 0]
    outcome = scene.ward.ledger.outcomes(since=at(240), until=at(240))[0]
    assert isinstance(outcome, Abstention)
    assert outcome.why is Why.NOT_PRESENT
    kept = scene.ward.ledger.memory(1)
    assert kept == scene.from_scratch(1, 240)


def test_a_patient_who_comes_back_goes_on_where_the_memory_ended(scene: Scene) -> None:
    scene.history([*calm(1, 200), discharge(1, 200)])
    scene.ticks(195, 210, 225, 240)
    scene.history([*admission(1, 250), *pressures(1, [(251, 78.0)])])
    report = scene.tick(255)
    assert (report.patients, report.replayed) == (1, 0)
    assert scene.ward.ledger.memory(1) == scene.from_scratch(1, 255)


def test_a_monitor_that_starts_late_reads_the_whole_past_once(scene: Scene) -> None:
    scene.history(calm(1, 300))
    scene.tick(280)
    assert scene.ward.ledger.memory(1) == scene.from_scratch(1, 280)


def test_a_policy_of_another_model_is_refused(scene: Scene) -> None:
    with pytest.raises(WrongModel):
        Ward(**{**vars(scene.ward), "policy": replace(RULES, model_id="another")})


def test_memories_of_another_model_are_begun_anew(scene: Scene) -> None:
    scene.history(calm(1, 300))
    scene.tick(180)
    ledger = scene.ward.ledger
    ledger._connection.execute("UPDATE memories SET model_id = 'old', blob = x'00'")
    assert scene.tick(195).replayed == 1
    assert ledger.memory(1) == scene.from_scratch(1, 195)


VALUE = st.sampled_from([60.0, 66.0, 67.0, 70.0, 80.0])
MOMENT = st.integers(0, 400)
VERSION = st.tuples(
    st.integers(0, 90), st.sampled_from(["corrected", "amended", "entered-in-error", "cancelled", "final"]), VALUE
)
FACT = st.tuples(st.integers(1, 2), MOMENT, st.integers(0, 120), VALUE, st.lists(VERSION, max_size=2))


def written(fact: tuple[int, int, int, float, list[tuple[int, str, float]]], number: int) -> list[tuple[float, Line]]:
    """(minute at which it is known, line) of each version."""
    subject, time, delay, value, versions = fact
    lines = [Line(subject=subject, time=time, value=value, known=time + delay, fact=str(number))]
    known = float(time + delay)
    for wait, status, other in versions:
        known += wait + 0.5
        gone = status in ("entered-in-error", "cancelled")
        lines.append(
            Line(
                subject=subject, time=time, value=None if gone else other, known=known, status=status, fact=str(number)
            )
        )
    return [(line.known or 0.0, line) for line in lines]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    facts=st.lists(FACT, min_size=1, max_size=12),
    late=st.lists(st.booleans(), min_size=36, max_size=36),
    cuts=st.lists(st.integers(1, 34), min_size=1, max_size=6, unique=True),
)
def test_whatever_the_past_did_the_memory_is_that_made_from_scratch(
    tmp_path_factory: pytest.TempPathFactory, facts: list, late: list[bool], cuts: list[int]
) -> None:
    """Corrections, retractions, rows that are loaded after their time, in any order, ticked at any whole minutes."""
    scene = Scene.open(tmp_path_factory.mktemp("law"))
    scene.history([*admission(1), *admission(2)])
    lines = [pair for number, fact in enumerate(facts) for pair in written(fact, number)]
    # a late row is loaded 45 minutes after it could have been known
    due = sorted(((known + 45 * late[i], i, line) for i, (known, line) in enumerate(lines)), key=lambda row: row[:2])
    for minute in [15 * cut for cut in sorted(cuts)] + [900]:
        ready = [line for loaded, _, line in due if loaded <= minute]
        due = [row for row in due if row[0] > minute]
        if ready:
            scene.history(ready)
        scene.tick(minute)
        for subject, patient in scene.ward.ledger.patients().items():
            if patient.cursor == at(minute):
                assert scene.ward.ledger.memory(subject) == scene.from_scratch(subject, minute)
                assert patient.eligibility == scene.eligibility_from_scratch(subject, minute)


def test_a_preliminary_value_that_becomes_final_is_rewound_too(scene: Scene) -> None:
    scene.history([*admission(1), Line(subject=1, time=5, value=80, fact="a", status="preliminary")])
    scene.tick(15)
    scene.history([Line(subject=1, time=5, value=70, known=20, fact="a")])
    assert scene.tick(30).replayed == 1
    assert scene.ward.ledger.memory(1) == scene.from_scratch(1, 30)
