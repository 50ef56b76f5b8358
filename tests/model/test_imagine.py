from __future__ import annotations

import numpy as np

from clinical_jepa.model.imagine import Action, imagine
from clinical_jepa.records.instant import HOUR
from tests.model.made_models import VITALS, make_forecaster, make_model
from tests.model.synthetic_slices import stay

MODEL, FORECASTER = make_model(), make_forecaster()
ROW = FORECASTER._rows([FORECASTER.step([FORECASTER.initial(1)], [stay(0)])[0].memory])[0]


def run(actions=None, steps: int = 60):
    return imagine(MODEL, ROW, actions, steps=steps, hours=1.0, codes=VITALS)


def test_fifty_steps_are_deterministic_and_stay_bounded() -> None:
    before = ROW.tobytes()
    one, two = run(), run()
    assert ROW.tobytes() == before
    np.testing.assert_array_equal(one.z, two.z)
    assert one.z.shape == (60, MODEL.config.width)
    np.testing.assert_allclose(one.z.var(axis=1), 1, atol=0.01)
    assert (np.diff(one.time) == HOUR).all()
    for code in VITALS:
        assert one.values[code].shape == (60, 3)
        assert np.isfinite(one.values[code]).all()
    assert np.abs(np.diff(one.z[-10:], axis=0)).max() < 1  # it settles rather than swings


def test_the_first_state_is_that_of_the_forecaster() -> None:
    step = FORECASTER.step([FORECASTER.initial(1)], [stay(0)])[0]
    np.testing.assert_array_equal(run(steps=1).z[0], FORECASTER.features([step.memory]).z[0])


def test_plans_matter_and_only_from_when_they_begin() -> None:
    pressor = [Action(code="RXNORM//7512", value=0.3, after=4 * HOUR + HOUR // 2)]
    none, late = run([], 8), run(pressor, 8)
    np.testing.assert_array_equal(none.z[:5], late.z[:5])
    assert not np.array_equal(none.values[VITALS[0]][4], late.values[VITALS[0]][4])
    assert not np.array_equal(none.z[5], late.z[5])
