from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.model.config import ModelConfig
from clinical_jepa.model.memory import facts, state
from clinical_jepa.records.errors import WrongModel

CONFIG = ModelConfig(facts=8, width=16)


def random_row(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    row = state.empty(CONFIG, np.ones(CONFIG.heads))
    row["fast"] = rng.normal(size=row["fast"].shape)
    row["cursor"], row["last_event"] = 5, 4
    return row[0]


def memory(seed: int = 0):
    return state.pack(random_row(seed), subject_id=7, model_id="m1", config=CONFIG)


def test_a_blob_comes_back_bit_for_bit_and_has_one_size() -> None:
    memories = [memory(i) for i in range(3)]
    rows = state.unpack(memories, model_id="m1", config=CONFIG)
    assert [row.tobytes() for row in rows] == [random_row(i).tobytes() for i in range(3)]
    assert len({len(m.blob) for m in memories}) == 1
    rows["fast"] = 0  # writable


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda m: replace(m, model_id="m2"), "another model"),
        (lambda m: replace(m, subject_id=8), "another subject"),
        (lambda m: replace(m, cursor=6), "another subject or instant"),
        (lambda m: replace(m, blob=m.blob[:-1]), "layout"),
        (lambda m: replace(m, blob=m.blob[:900] + bytes([m.blob[900] ^ 1]) + m.blob[901:]), "bytes were changed"),
        (lambda m: replace(m, blob=m.blob[:60] + bytes([m.blob[60] ^ 1]) + m.blob[61:]), "bytes were changed"),
        (lambda m: replace(m, blob=b"nonsense"), "not a memory"),
    ],
)
def test_what_is_not_this_subjects_memory_of_this_model_is_refused(change, why) -> None:
    with pytest.raises(WrongModel, match=why):
        state.unpack([change(memory())], model_id="m1", config=CONFIG)


def test_a_forged_owner_is_refused_though_its_checksum_fits() -> None:
    with pytest.raises(WrongModel, match="another model"):
        state.unpack([memory()], model_id="m2", config=CONFIG)
    with pytest.raises(WrongModel, match="layout"):
        state.unpack([memory()], model_id="m1", config=ModelConfig(facts=8, width=32))


@given(st.lists(st.integers(0, 6), max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_facts_are_the_top_k_however_the_stream_is_cut(saliences: list[int], cuts: list[int]) -> None:
    def offer(rows: np.ndarray, first: int, last: int) -> None:
        entry = np.zeros(last - first, [("fact_time", "i8"), ("fact_vector", "f4", CONFIG.width)])
        entry["fact_time"] = np.arange(first, last)
        salience = np.array(saliences[first:last], np.float32)
        facts.update(
            rows, row=np.zeros(last - first, int), order=np.arange(first, last), salience=salience, entry=entry
        )

    whole, pieces = (state.empty(CONFIG, np.ones(CONFIG.heads)) for _ in range(2))
    offer(whole, 0, len(saliences))
    bounds = sorted({0, len(saliences), *(c for c in cuts if c < len(saliences))})
    for a, b in pairwise(bounds):
        offer(pieces, a, b)
    assert whole.tobytes() == pieces.tobytes()
    best = sorted(range(len(saliences)), key=lambda i: (-saliences[i], i))[: CONFIG.facts]
    assert whole["fact_time"][0, : len(best)].tolist() == best
