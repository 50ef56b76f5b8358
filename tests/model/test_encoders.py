from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from clinical_jepa.model import normaliser
from clinical_jepa.model.context import Context, Remembered
from clinical_jepa.model.encoders.arrivals import ArrivalEncoder
from clinical_jepa.model.encoders.pictures import PictureEncoder
from clinical_jepa.model.encoders.records import KNOTS, RecordEncoder, pieces
from clinical_jepa.model.encoders.waveforms import WaveformEncoder
from clinical_jepa.model.memory import registers
from clinical_jepa.model.predictor import Predictor
from tests.model.made_models import CONFIG
from tests.model.synthetic_slices import stay

NAN = float("nan")


@pytest.fixture(autouse=True)
def no_gradients():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def records(code, z) -> torch.Tensor:
    torch.manual_seed(1)
    none = torch.zeros(len(code))
    return RecordEncoder(CONFIG)(torch.tensor(code), torch.tensor(z), none.long(), none)


def test_pieces_are_monotone_and_end_to_end() -> None:
    found = pieces(torch.tensor([-9.0, -1.25, 8.0]), torch.tensor(KNOTS))
    assert found.sum(dim=1).tolist() == [0.0, 5.5, 16.0]


def test_a_sum_of_records_keeps_which_value_is_whose() -> None:
    one, swapped = records([0, 1], [2.0, -2.0]).sum(0), records([0, 1], [-2.0, 2.0]).sum(0)
    assert (one - swapped).abs().max() > 0.1


def test_no_value_is_not_the_value_zero_and_reaches_no_layer_as_nan() -> None:
    none, zero = records([0], [NAN]), records([0], [0.0])
    assert none.isfinite().all()
    assert (none - zero).abs().max() > 0.01


def test_absent_samples_are_not_seen_and_levels_are() -> None:
    encoder = WaveformEncoder(CONFIG)
    signal, present = torch.randn(2, 5, 625), torch.ones(2, 5, 625)
    present[:, 3:] = 0
    garbage = torch.where(present > 0, signal, 1e6)
    torch.testing.assert_close(encoder(signal, present), encoder(garbage, present))
    assert (encoder(signal + 1.5, present) - encoder(signal, present)).abs().max() > 0.01
    assert encoder(signal * 0, present * 0).isfinite().all()


def test_pictures_differ_and_rows_do_not_mix() -> None:
    encoder, pixels = PictureEncoder(CONFIG), torch.rand(3, 64, 64)
    torch.testing.assert_close(encoder(pixels)[1:2], encoder(pixels[1:2]), atol=1e-5, rtol=1e-5)
    assert (encoder(pixels)[0] - encoder(pixels)[1]).abs().max() > 1e-3


def test_writes_lie_in_their_ranges_and_half_lives_spread() -> None:
    encoder = ArrivalEncoder(CONFIG)
    writes = encoder(10 * torch.randn(40, CONFIG.width), torch.randint(0, 6, (40,)), torch.zeros(40))
    torch.testing.assert_close(writes.k.norm(dim=-1), torch.ones(40, CONFIG.heads))
    assert ((writes.beta > 0) & (writes.beta < 2)).all()
    assert (writes.log_gate <= 0).all()
    half_lives = np.log(2) / encoder.log_rate.exp().numpy()
    np.testing.assert_allclose(half_lives[[0, -1]], CONFIG.half_lives_h, rtol=1e-4)
    assert (np.diff(half_lives) > 0).all()


def remembered() -> Remembered:
    width = CONFIG.codes * len(registers.PER_CODE) + len(registers.GENERAL)
    features = torch.zeros(1, width)
    features[0, :2] = 1.0  # code 0: seen, with a value
    return Remembered(
        registers=features,
        fact_vector=torch.zeros(1, CONFIG.facts, CONFIG.width),
        fact_salience=torch.full((1, CONFIG.facts), -torch.inf),
        fact_age=torch.zeros(1, CONFIG.facts),
        fast=torch.zeros(1, CONFIG.heads, CONFIG.key, CONFIG.value),
    )


def test_every_part_of_the_memory_reaches_the_state_and_what_is_unknown_does_not() -> None:
    context, known = Context(CONFIG), remembered()
    z = context(known)
    assert z.isfinite().all()
    unseen = known.registers.clone()
    unseen[0, len(registers.PER_CODE) + 1] = 5.0  # a value of a code that was never seen
    torch.testing.assert_close(context(replace(known, registers=unseen)), z)
    vectors = torch.randn_like(known.fact_vector)
    torch.testing.assert_close(context(replace(known, fact_vector=vectors)), z)  # empty slots
    salience = torch.zeros_like(known.fact_salience)
    filled = context(replace(known, fact_vector=vectors, fact_salience=salience))
    fast = context(replace(known, fast=torch.randn_like(known.fast)))
    for other in (filled, fast):
        assert (other - z).abs().max() > 1e-3


def test_gradients_reach_the_salience_through_the_read() -> None:
    with torch.enable_grad():
        salience = torch.zeros(1, CONFIG.facts, requires_grad=True)
        vectors = torch.randn(1, CONFIG.facts, CONFIG.width)
        z = Context(CONFIG)(replace(remembered(), fact_vector=vectors, fact_salience=salience))
        z[0, 0].backward()
    assert salience.grad.abs().max() > 0


def test_plans_are_none_unknown_or_cumulative() -> None:
    predictor = Predictor(CONFIG)
    items, offset = torch.randn(1, CONFIG.width), torch.tensor([0.7])
    none = predictor.actions(items[:0], offset[:0], torch.zeros(0, dtype=torch.long), (1, 3))
    told = predictor.actions(items, offset, torch.tensor([1]), (1, 3))
    torch.testing.assert_close(told[0, 0], none[0, 0])  # nothing yet in the first window
    torch.testing.assert_close(told[0, 1], told[0, 2])  # a horizon's plan holds all up to it
    assert (told[0, 1] - none[0, 1]).abs().max() > 0.1
    assert (predictor.unknown(1, 3) - none).abs().max() > 0.1
    hours = torch.tensor([0.5, 4.0, 24.0])
    hidden = predictor(torch.randn(1, CONFIG.width), none, hours)
    assert (hidden[0, 0] - hidden[0, 2]).abs().max() > 1e-5


def test_the_normaliser_is_that_of_the_values_given_and_of_the_list_elsewhere() -> None:
    stays = [stay(i, count=200) for i in range(5)]
    fitted = normaliser.fit(stays)
    values = np.concatenate([s.items.value[s.items.code == 0] for s in stays])
    values = values[np.isfinite(values)]
    low, middle, high = np.percentile(values, [25, 50, 75])
    assert fitted.center[0] == pytest.approx(middle, rel=1e-5)
    assert fitted.scale[0] == pytest.approx((high - low) / 1.349, rel=1e-5)
    assert (fitted.scale > 0).all()
    assert np.isnan(fitted.z(np.array([0]), np.array([np.nan]))).all()
    assert np.abs(fitted.z(np.array([0, 30]), np.array([1e9, -1e9]))).max() == 8
