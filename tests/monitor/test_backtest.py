"""The backtest is the live path on a stepped clock: same bytes, answers played back, nothing touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_jepa.evaluate.checks.script import START, admission, at, batch, pressures, random_ward
from clinical_jepa.monitor.backtest import backtest, steps
from clinical_jepa.records.alerts import Acknowledgement, AlertState
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import HOUR, MINUTE
from tests.monitor.scenes import Scene

QUARTER = 15 * MINUTE


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene.open(tmp_path)


def test_it_leaves_the_bytes_that_live_ticks_left(scene: Scene) -> None:
    scene.ward.store.append([batch(random_ward(3, 8, 4))], mode="history", now=START, prepare=lambda p, s: p)
    scene.ticks(*range(180, 480, 15))
    before = scene.ward.ledger.dump()
    report = backtest(scene.ward, at(180), at(465), QUARTER)
    assert report.ledger.dump() == before == scene.ward.ledger.dump()
    assert before["transitions"]
    assert report.forecasts + report.abstentions == sum(one.patients for one in report.ticks)


def test_answers_are_inputs_of_the_first_tick_after_them(scene: Scene) -> None:
    scene.history([*admission(1), *pressures(1, [(minute, 67.0) for minute in range(1, 300, 10)])])
    scene.tick(180)
    (alert,) = scene.ward.ledger.alerts()
    answer = Acknowledgement(alert_id=alert.alert_id, by="nurse", at=at(186))
    scene.ward.ledger.acknowledge(answer)
    scene.ticks(195, 210)
    report = backtest(scene.ward, at(180), at(210), QUARTER, acknowledgements=[answer])
    assert report.ledger.dump() == scene.ward.ledger.dump()
    assert [one.after for one in report.ledger.transitions()] == [AlertState.RAISED, AlertState.ACKNOWLEDGED]


def test_progress_is_told(scene: Scene) -> None:
    scene.history(admission(1))
    told: list[tuple[int, int]] = []
    backtest(scene.ward, at(0), at(45), QUARTER, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_end_belongs_to_it() -> None:
    assert list(steps(0, HOUR, 20 * MINUTE)) == [0, 20 * MINUTE, 40 * MINUTE, HOUR]


@pytest.mark.parametrize(("start", "cadence"), [(30_000_000, QUARTER), (0, 0), (0, 90_000_000), (0, -QUARTER)])
def test_ticks_off_whole_minutes_are_refused(start: int, cadence: int) -> None:
    with pytest.raises(BadRequest, match="whole minutes"):
        steps(start, HOUR, cadence)
