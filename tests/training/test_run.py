from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from clinical_jepa.model import checkpoint, normaliser
from clinical_jepa.model.config import ModelConfig
from clinical_jepa.records.errors import TrainingFailed
from clinical_jepa.training import run
from clinical_jepa.training.config import TrainConfig
from clinical_jepa.training.splits import split
from tests.model.synthetic_slices import learnable_stay

TINY = TrainConfig(
    model=ModelConfig(width=32, facts=8, reads=2, queries=2),
    steps=12,
    batch=16,
    prefix=32,
    anchors=4,
    check_every=6,
    warm_up=2,
)
STAYS = {i: learnable_stay(i, subject_id=i, hours=16) for i in range(60)}


class Ward:
    def extents(self, as_of: int) -> dict[int, tuple[int, int]]:
        return dict.fromkeys(STAYS, (0, 1))


@pytest.fixture(autouse=True)
def ward(monkeypatch) -> None:
    monkeypatch.setattr(run, "stays", lambda store, subjects: (STAYS[s] for s in subjects))


def weights(folder) -> dict[str, torch.Tensor]:
    return checkpoint.load(folder).network.state_dict()


def test_a_run_writes_a_model_and_tells_how_it_went(tmp_path) -> None:
    told = []
    report = run.pretrain(Ward(), tmp_path, TINY, progress=lambda done, total: told.append((done, total)))
    assert report["model_id"] == checkpoint.load(tmp_path).identity
    assert report["steps"] == 12
    assert told == [(i, 12) for i in range(1, 13)]
    assert {"val_grounding", "val_latent", "monitor_rankme"} <= set(report)
    assert report["subjects"] + report["tuning"] < len(STAYS)


def test_the_same_seed_gives_the_same_model_and_a_resumed_run_too(tmp_path) -> None:
    whole = run.pretrain(Ward(), tmp_path / "whole", TINY)
    assert run.pretrain(Ward(), tmp_path / "again", TINY)["model_id"] == whole["model_id"]

    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 8:
            raise Stop

    with pytest.raises(Stop):
        run.pretrain(Ward(), tmp_path / "broken", TINY, progress=stop)
    resumed = run.pretrain(Ward(), tmp_path / "broken", TINY)
    assert resumed["resumed_at"] == 6
    assert resumed["steps"] == 12
    for name, value in weights(tmp_path / "whole").items():
        torch.testing.assert_close(weights(tmp_path / "broken")[name], value, rtol=0, atol=1e-6)


@pytest.mark.parametrize("change", [{"latent_weight": 0.0}, {"grounding_weight": 0.0}, {"rollout_weight": 0.0}])
def test_each_objective_can_be_left_out(tmp_path, change) -> None:
    assert run.pretrain(Ward(), tmp_path, replace(TINY, steps=2, **change))["steps"] == 2


def test_a_collapse_stops_the_run_with_a_clear_message(tmp_path) -> None:
    with pytest.raises(TrainingFailed, match=r"states collapsed at step .* No model was written"):
        run.pretrain(Ward(), tmp_path, replace(TINY, warm_up=0, collapse_rank=1e6))
    assert not (tmp_path / checkpoint.ABOUT).exists()


def test_nothing_to_learn_is_refused(tmp_path) -> None:
    nothing = replace(TINY, latent_weight=0.0, grounding_weight=0.0, presence_weight=0.0)
    with pytest.raises(TrainingFailed, match="nothing to learn"):
        run.pretrain(Ward(), tmp_path, nothing)


def test_time_can_run_out(tmp_path) -> None:
    assert run.pretrain(Ward(), tmp_path, replace(TINY, steps=500, seconds=0.01))["steps"] == 1


def test_the_rest_is_left_alone_and_the_centre_is_that_of_training_patients(tmp_path, monkeypatch) -> None:
    asked = set()

    def watched(store, subjects):
        asked.update(subjects)
        return (STAYS[s] for s in subjects)

    monkeypatch.setattr(run, "stays", watched)
    run.pretrain(Ward(), tmp_path, replace(TINY, steps=1))
    parts = split(STAYS)
    assert parts.calibration
    assert parts.test
    assert asked == {*parts.train, *parts.tuning}
    found, expected = checkpoint.load(tmp_path).normaliser, normaliser.fit(STAYS[s] for s in parts.train)
    for name in ("center", "scale", "channel_center", "channel_scale"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_patients_of_other_parts_are_not_learned_from_for_want_of_others(tmp_path, monkeypatch) -> None:
    parts = split(STAYS)
    monkeypatch.setattr(run, "stays", lambda store, subjects: pytest.fail("a stay was read"))
    with pytest.raises(TrainingFailed, match=r"none of .* falls to the training part.* Ingest more patients"):
        run.pretrain(Ward(), tmp_path / "model", TINY, subjects=(*parts.tuning, *parts.calibration, *parts.test))
    assert not (tmp_path / "model").exists()


@pytest.mark.slow
def test_the_loss_falls_on_stays_whose_past_tells_of_the_future(tmp_path, monkeypatch) -> None:
    many = {i: learnable_stay(i, subject_id=i, hours=16) for i in range(400)}
    monkeypatch.setattr(run, "stays", lambda store, subjects: (many[s] for s in subjects))
    config = replace(TINY, steps=200, check_every=10, learning_rate=4e-3)
    report = run.pretrain(Ward(), tmp_path, config, subjects=list(many))
    assert report["val_grounding"] < 0.8 * report["val_grounding_first"]
    assert report["monitor_rankme"] > 3
