from __future__ import annotations

import json

import numpy as np
import pytest

from clinical_jepa.model import checkpoint, heads
from clinical_jepa.model.forecaster import load_forecaster
from clinical_jepa.records.errors import BadRequest, WrongModel
from tests.model.made_models import make_heads, make_model
from tests.model.synthetic_slices import stay


@pytest.fixture
def folder(tmp_path):
    model = make_model()
    checkpoint.save(tmp_path, model)
    heads.save_heads(tmp_path, make_heads(model))
    return tmp_path


def test_a_model_comes_back_with_its_identity_and_answers(folder) -> None:
    model, loaded = make_model(), checkpoint.load(folder)
    assert loaded.identity == model.identity
    assert loaded.config == model.config
    np.testing.assert_array_equal(loaded.normaliser.scale, model.normaliser.scale)
    one, two = load_forecaster(folder), load_forecaster(folder)
    steps = [f.step([f.initial(1)], [stay(0)])[0] for f in (one, two)]
    assert steps[0].memory == steps[1].memory
    assert steps[0].score == steps[1].score


def test_heads_come_back_as_they_were(folder) -> None:
    fitted, loaded = make_heads(make_model()), heads.load_heads(folder)
    assert loaded is not None
    for name, value in vars(fitted).items():
        np.testing.assert_array_equal(getattr(loaded, name), value, err_msg=name)
    assert heads.load_heads(folder / "nowhere") is None
    assert "risk_weight" not in heads.summary(loaded)


def test_seeds_and_heads_make_other_identities(folder) -> None:
    assert make_model(0).identity != make_model(1).identity
    with_heads = load_forecaster(folder).model_id
    (folder / heads.FILE).unlink()
    assert load_forecaster(folder).model_id == make_model().identity != with_heads


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"code_map_hash": "0" * 16}, "code map"),
        ({"model_id": "0" * 32}, "do not belong together"),
        ({"format": 99}, "model format 99"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(folder, change, why) -> None:
    path = folder / checkpoint.ABOUT
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(WrongModel, match=why):
        checkpoint.load(folder)


def test_an_empty_folder_says_what_to_do(tmp_path) -> None:
    with pytest.raises(BadRequest, match="run pretrain first"):
        checkpoint.load(tmp_path)
