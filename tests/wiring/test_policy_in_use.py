"""One source of the question: the policy that was fitted, not the task's file beside it."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from clinical_jepa.evaluate.checks.script import admission, at, pressures
from clinical_jepa.evaluate.checks.stand_in import policy
from clinical_jepa.forecast.policies import to_json
from clinical_jepa.forecast.tasks import load_task
from clinical_jepa.records.instant import MINUTE
from clinical_jepa.store.locks import writer_lock
from clinical_jepa.wiring import compose, page, ward
from clinical_jepa.wiring.settings import Paths, Settings, Ward
from tests.monitor.scenes import Scene

OLDER = replace(load_task("deterioration-8h"), cadence=10 * MINUTE)  # as it was when the model was fitted
CLOCK = "2026-01-05T11:11Z"  # minute 191 of the script, and seconds into a test


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    scene = Scene.open(tmp_path)
    scene.history([*admission(1), *pressures(1, [(minute, 80.0) for minute in range(1, 200, 10)])])
    model = tmp_path / "model"
    model.mkdir()
    (model / "policy.json").write_bytes(to_json(policy(OLDER)))
    monkeypatch.setattr(compose, "ward", lambda _: replace(scene.ward, policy=policy(OLDER)))
    return Settings(paths=Paths(store=str(tmp_path / "store"), model=str(model)), ward=Ward(clock=CLOCK))


def test_a_tick_falls_on_the_grid_of_the_policy(settings: Settings) -> None:
    report = ward.tick(settings)
    assert (report["now"], report["patients"]) == (at(190), 1)


def test_a_tick_waits_for_whoever_is_committing(settings: Settings) -> None:
    done = threading.Event()

    def run() -> None:
        ward.tick(settings)
        done.set()

    with writer_lock(Path(settings.paths.store)):
        threading.Thread(target=run, daemon=True).start()
        assert not done.wait(0.3)
    assert done.wait(60)


def test_the_page_asks_what_the_policy_answers(settings: Settings) -> None:
    state = page.state(settings)
    assert state.policy is not None
    assert state.task == state.policy.task == OLDER


def test_the_page_takes_the_task_of_the_settings_before_anything_was_fitted(settings: Settings) -> None:
    (Path(settings.paths.model) / "policy.json").unlink()
    assert page.state(settings).task == load_task("deterioration-8h")


def test_evaluation_asks_what_was_fitted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from clinical_jepa.evaluate import leaderboard
    from clinical_jepa.wiring import road

    asked: list[object] = []
    monkeypatch.setattr(leaderboard, "evaluate", lambda _model, _store, task, **_: asked.append(task))
    road.leaderboard(settings)
    assert asked == [OLDER]
