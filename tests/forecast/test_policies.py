"""A policy survives its JSON bit for bit, is named by its content, and is refused when it is not what it claims."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.forecast.policies import from_json, seal, to_json
from clinical_jepa.records.errors import BrokenStore, WrongModel
from tests.forecast.builders import build_policy


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=8), st.floats(0, 1))
def test_a_policy_survives_its_json(scores, threshold):
    policy = build_policy(novelty_scores=np.array(sorted(scores)), threshold=threshold)
    back = from_json(to_json(policy), model_id="m")
    assert to_json(back) == to_json(policy)
    assert back.task == policy.task
    assert back.novelty_scores.tolist() == policy.novelty_scores.tolist()


def test_an_infinite_margin_survives():
    margin = np.zeros((4, 4))
    margin[1, 2] = math.inf
    assert from_json(to_json(build_policy(band_margin=margin))).band_margin.tolist() == margin.tolist()


def test_the_id_names_the_content():
    first, same, other = build_policy(), build_policy(), build_policy(threshold=0.5)
    assert first.policy_id == same.policy_id != other.policy_id
    assert seal(first).policy_id == first.policy_id


def test_another_model_an_altered_number_and_no_policy_are_refused():
    text = to_json(build_policy())
    with pytest.raises(WrongModel, match="run fit again"):
        from_json(text, model_id="another")
    altered = json.loads(text)
    altered["threshold"] = 0.01
    with pytest.raises(BrokenStore, match="altered"):
        from_json(json.dumps(altered).encode())
    for wrong in (b"{}", b"not json", b"[1]"):
        with pytest.raises(BrokenStore):
            from_json(wrong)
