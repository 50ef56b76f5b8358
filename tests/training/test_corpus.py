from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from clinical_jepa.model import checkpoint, normaliser
from clinical_jepa.model.config import ModelConfig
from clinical_jepa.model.forecaster import JepaForecaster
from clinical_jepa.records.errors import TrainingFailed
from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.training import corpus, data, forward
from clinical_jepa.training.config import TrainConfig
from tests.model.synthetic_slices import part, stay

CONFIG = TrainConfig(
    model=ModelConfig(width=32, facts=8, reads=2, queries=2), batch=8, anchors=6, prefix=500, drop_sensor=0.0
)
STAYS = [stay(i, subject_id=i, count=80, hours=30, arrays=4) for i in range(10)]
FITTED = normaliser.fit(STAYS)
CORPUS = corpus.build(STAYS, FITTED, CONFIG)


def batch_of(anchors: np.ndarray, whole: corpus.Corpus = CORPUS) -> data.Batch:
    return data.collate(whole, anchors, CONFIG, np.random.default_rng(0), plain=True)


def test_what_is_trained_is_what_is_served() -> None:
    """z of a training window equals that of the forecaster stepped to the anchor, through every part of the memory."""
    model = checkpoint.untrained(CONFIG.model, FITTED, 0)
    anchors = np.arange(0, len(CORPUS.anchor_row), 3)
    with torch.no_grad():
        trained = forward.context(model.network, batch_of(anchors)).z.numpy()
    served, forecaster = [], JepaForecaster(model)
    for row, time in zip(CORPUS.anchor_row[anchors], CORPUS.anchor_time[anchors], strict=True):
        piece = replace(part(STAYS[row], STAYS[row].since, int(time)), origin=STAYS[row].origin)
        memory = forecaster.step([forecaster.initial(int(row))], [piece])[0].memory
        served.append(forecaster.features([memory]).z[0])
    assert np.abs(trained - np.stack(served)).max() < 0.02  # patches and registers are kept in half precision


def test_nothing_after_the_anchor_reaches_the_state() -> None:
    model = checkpoint.untrained(CONFIG.model, FITTED, 0)
    anchors = np.arange(0, len(CORPUS.anchor_row), 5)
    batch = batch_of(anchors)
    rng = np.random.default_rng(1)
    stream = CORPUS.stream
    for i, anchor in enumerate(anchors):
        later = stream.time[stream.item_arrival] > CORPUS.anchor_time[anchor]
        scrambled = replace(CORPUS, z=np.where(later, rng.normal(0, 3, len(later)).astype(np.float32), CORPUS.z))
        alone, other = batch_of(anchors[i : i + 1]), batch_of(anchors[i : i + 1], scrambled)
        with torch.no_grad():
            assert torch.equal(forward.context(model.network, alone).z, forward.context(model.network, other).z)
        assert not torch.equal(alone.target, other.target)
    assert (batch.fact_age[batch.fact_age >= 0] >= 0).all()


def test_targets_are_the_values_of_each_window_and_nothing_of_who_or_what_was_done() -> None:
    anchors = np.arange(len(CORPUS.anchor_row))
    batch = batch_of(anchors)
    edges = np.array([0, *CONFIG.model.horizons_h]) * HOUR
    for i in range(0, len(anchors), 7):
        row, now = CORPUS.anchor_row[i], CORPUS.anchor_time[i]
        items = STAYS[row].items
        for w in range(len(edges) - 1):
            inside = (items.time > now + edges[w]) & (items.time <= now + edges[w + 1])
            inside &= -(-items.available // MINUTE) * MINUTE > now
            for code in range(CONFIG.model.codes):
                mine = inside & (items.code == code) & np.isfinite(items.value)
                expected = bool(mine.any()) and bool(data.is_target()[code])
                assert bool(batch.seen[i, w, code] == 1) == expected
                if expected:
                    z = FITTED.z(items.code[mine], items.value[mine])
                    assert batch.target[i, w, 0, code].item() == pytest.approx(z.mean(), abs=1e-5)
                    assert batch.target[i, w, 1, code].item() == pytest.approx(z.min(), abs=1e-5)
                    assert batch.target[i, w, 2, code].item() == pytest.approx(z.max(), abs=1e-5)


def test_a_batch_has_one_window_a_patient_and_comes_again_by_its_number() -> None:
    rng = np.random.default_rng(0)
    rows = CORPUS.anchor_row[data.draw(CORPUS, 8, rng)]
    assert len(set(rows.tolist())) == 8
    one = list(data.Windows(CORPUS, CONFIG, first=0, last=4))[3]
    two = next(iter(data.Windows(CORPUS, CONFIG, first=3, last=4)))
    assert torch.equal(one.registers, two.registers)
    assert torch.equal(one.target, two.target)


def test_hidden_sensors_leave_no_trace_in_the_context() -> None:
    hiding = replace(CONFIG, drop_sensor=1.0)
    anchors = data.draw(CORPUS, 8, np.random.default_rng(2))
    batch = data.collate(CORPUS, anchors, hiding, np.random.default_rng(2))
    plain = batch_of(anchors)
    assert len(batch.item) < len(plain.item)
    assert batch.hidden.sum() > plain.hidden.sum()
    assert (batch.registers == 0).sum() > (plain.registers == 0).sum()


def test_stays_without_a_record_are_refused_with_words() -> None:
    with pytest.raises(TrainingFailed, match="Ingest some data first"):
        corpus.build([stay(0, count=0, arrays=3)], FITTED, CONFIG)
