from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.model.forecaster import JepaForecaster
from clinical_jepa.records.errors import BadRequest, WrongModel
from clinical_jepa.records.forecasts import Memory, Step
from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.records.views import Items, Slice
from tests.model.made_models import make_forecaster, make_heads, make_model
from tests.model.synthetic_slices import START, cut, part, stay

FORECASTER = make_forecaster()
HOURLY = [START + h * HOUR for h in range(1, 12)]


def same(a: Step, b: Step) -> bool:
    return (
        a.memory == b.memory
        and (a.score, a.novelty, a.reasons) == (b.score, b.novelty, b.reasons)
        and a.quantiles.tobytes() == b.quantiles.tobytes()
        and (a.surprise == b.surprise or (np.isnan(a.surprise) and np.isnan(b.surprise)))
    )


def walk(forecaster: JepaForecaster, pieces: list[Slice]) -> list[Step]:
    """One patient alone, through a blob at every step."""
    steps, memory = [], forecaster.initial(pieces[0].subject_id)
    for piece in pieces:
        steps += forecaster.step([memory], [piece])
        memory = steps[-1].memory
    return steps


def walk_together(forecaster: JepaForecaster, stays: list[list[Slice]], order: list[int]) -> list[list[Step]]:
    """All patients in one batch a step, in the given order; answers in the original order."""
    memories: list[Memory] = [forecaster.initial(pieces[0].subject_id) for pieces in stays]
    found: list[list[Step]] = [[] for _ in stays]
    for t in range(len(stays[0])):
        steps = forecaster.step([memories[i] for i in order], [stays[i][t] for i in order])
        for i, step in zip(order, steps, strict=True):
            memories[i] = step.memory
            found[i].append(step)
    return found


@pytest.fixture(scope="module")
def stays() -> list[list[Slice]]:
    whole = [stay(i, subject_id=i, count=5 + 7 * (i % 9), arrays=2 if i % 11 == 0 else 0) for i in range(37)]
    return [cut(replace(s, since=START - MINUTE, origin=START), HOURLY) for s in whole]


def test_alone_batched_and_permuted_are_equal_bit_for_bit(stays) -> None:
    alone = [walk(FORECASTER, pieces) for pieces in stays]
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(len(stays)).tolist()
        together = walk_together(FORECASTER, stays, order)
        for a, b in zip(alone, together, strict=True):
            assert all(same(x, y) for x, y in zip(a, b, strict=True))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), minutes=st.lists(st.integers(1, 719), max_size=5))
def test_suspended_and_resumed_anywhere_is_equal_bit_for_bit(seed: int, minutes: list[int]) -> None:
    whole = stay(seed, count=50, arrays=1)
    pieces = cut(whole, [START + m * MINUTE for m in minutes])
    end, resumed = walk(FORECASTER, [whole])[-1], walk(FORECASTER, pieces)[-1]
    rows = [FORECASTER._rows([s.memory])[0] for s in (end, resumed)]
    for name in rows[0].dtype.names:
        if name != "expected":  # what was last expected, and so surprise, depends on when one last looked
            assert rows[0][name].tobytes() == rows[1][name].tobytes(), name
    assert same(replace(end, memory=resumed.memory, surprise=0.0), replace(resumed, surprise=0.0))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), minute=st.integers(30, 700))
def test_the_future_changes_nothing(seed: int, minute: int) -> None:
    whole, now = stay(seed, count=50, arrays=1), START + minute * MINUTE
    past, other = part(whole, whole.since, now), stay(seed + 1, count=50, arrays=1)
    mixed = replace(
        whole,
        **{
            name: type(getattr(whole, name))(
                **{
                    key: np.concatenate([value, vars(getattr(other, name))[key][getattr(other, name).available > now]])
                    for key, value in vars(getattr(past, name)).items()
                }
            )
            for name in ("items", "patches", "pictures")
        },
    )
    assert same(walk(FORECASTER, [part(mixed, whole.since, now)])[0], walk(FORECASTER, [past])[0])


def test_the_past_does_change_the_answer() -> None:
    whole = stay(4)
    value = whole.items.value.copy()
    value[::2] += 40
    changed = replace(whole, items=replace(whole.items, value=value))
    one, two = (FORECASTER.features([walk(FORECASTER, [s])[0].memory]) for s in (whole, changed))
    assert np.abs(one.z - two.z).max() > 1e-3
    assert np.abs(one.registers - two.registers).max() > 1e-3


def test_state_is_of_one_size_however_long_the_stay() -> None:
    sizes = {len(walk(FORECASTER, [stay(0, count=n, hours=h)])[0].memory.blob) for n, h in ((3, 1), (400, 200))}
    assert len(sizes) == 1


def test_foreign_memories_and_slices_are_refused() -> None:
    other, whole = make_forecaster(1), stay(0)
    memory = FORECASTER.initial(1)
    with pytest.raises(WrongModel):
        other.step([memory], [whole])
    with pytest.raises(BadRequest, match="does not continue"):
        FORECASTER.step([memory], [replace(whole, subject_id=2)])
    step = FORECASTER.step([memory], [whole])[0]
    with pytest.raises(BadRequest, match="does not continue"):
        FORECASTER.step([step.memory], [whole])
    assert JepaForecaster(make_model()).model_id != FORECASTER.model_id


def test_without_heads_a_step_still_carries_the_memory() -> None:
    plain = JepaForecaster(make_model())
    step = walk(plain, cut(stay(3), HOURLY))[-1]
    assert step.score == 0
    assert step.quantiles.size == 0
    assert step.reasons == ()
    found = plain.features([step.memory])
    assert found.inputs.shape == (1, len(found.names))
    assert found.z.var() == pytest.approx(1, abs=0.01)
    assert np.isfinite(found.inputs).all()


def test_answers_are_ordered_named_and_explained() -> None:
    steps = walk(FORECASTER, cut(stay(3, count=200), HOURLY))
    last = steps[-1]
    assert (np.diff(last.quantiles, axis=-1) >= 0).all()
    assert 0 < len(last.reasons) <= 5
    weights = [abs(reason.weight) for reason in last.reasons]
    assert weights == sorted(weights, reverse=True)
    assert all(reason.age is None or reason.age >= 0 for reason in last.reasons)
    assert np.isnan(steps[0].surprise)
    assert any(step.surprise > 0 for step in steps[1:])


def test_a_patient_of_whom_nothing_is_known_has_no_quantiles_of_vitals() -> None:
    nothing = part(stay(0), START - 10 * HOUR, START - 9 * HOUR)
    step = FORECASTER.step([FORECASTER.initial(1)], [replace(nothing, origin=nothing.now)])[0]
    assert np.isnan(step.quantiles).all()
    assert np.isfinite(step.score)
    assert isinstance(nothing.items, Items)


def test_heads_of_another_model_are_refused() -> None:
    model = make_model()
    fitted = make_heads(model)
    with pytest.raises(BadRequest, match="other inputs"):
        JepaForecaster(model, replace(fitted, inputs=fitted.inputs[1:]))


def test_a_patient_without_arrivals_may_stand_anywhere() -> None:
    whole = stay(0)
    nothing = part(replace(whole, subject_id=2), START - 10 * HOUR, START - 9 * HOUR)
    pairs = {1: whole, 2: replace(nothing, origin=nothing.now)}
    alone = {i: FORECASTER.step([FORECASTER.initial(i)], [piece])[0] for i, piece in pairs.items()}
    for order in ((1, 2), (2, 1)):
        together = FORECASTER.step([FORECASTER.initial(i) for i in order], [pairs[i] for i in order])
        assert all(same(step, alone[i]) for i, step in zip(order, together, strict=True))
