"""The models below the files: Windkessel, ECG, saturation, radiograph, treatment."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.simulate import insults, patients, radiograph, waveforms
from clinical_jepa.simulate.config import SimulateConfig
from clinical_jepa.simulate.course import run
from clinical_jepa.simulate.physiology import saturation
from clinical_jepa.simulate.treatments import Policy


@settings(max_examples=25, deadline=None)
@given(period=st.floats(0.4, 1.4), ratio=st.floats(0.3, 0.9))
def test_windkessel_against_numerical_integration(period: float, ratio: float) -> None:
    """C dP/dt = Q - P/R by small Euler steps, to the steady state: the same ratio of pulse to mean pressure."""
    tau, dt = waveforms.windkessel(period, ratio), 1e-3
    moments = np.arange(0, period, dt)
    ejection = waveforms.SYSTOLE * np.sqrt(period)
    inflow = np.where(moments < ejection, np.sin(np.pi * moments / ejection), 0)
    level, trace = 2 * inflow.mean() * tau, np.empty(len(moments))
    for _ in range(int(6 * tau / period) + 8):
        for k, q in enumerate(inflow):
            trace[k] = level
            level += dt * (q - level / tau)
    assert np.ptp(trace) / trace.mean() == pytest.approx(ratio, rel=0.03)


def test_one_r_peak_a_beat_at_the_given_moments() -> None:
    rng = np.random.default_rng(1)
    peaks = waveforms.beats(rng, np.full(1, 90.0), np.full(1, 18.0), irregular=False)
    time = np.arange(7500) / 125
    samples = waveforms.ecg(time, peaks)
    high = np.flatnonzero((samples[1:-1] > 0.6) & (samples[1:-1] >= samples[:-2]) & (samples[1:-1] > samples[2:])) + 1
    inside = peaks[(peaks > 0) & (peaks < 60)]
    assert len(high) == pytest.approx(len(inside), abs=1)
    assert all(np.abs(time[high] - peak).min() < 0.02 for peak in inside[1:-1])


def test_saturation_at_known_points() -> None:
    """The textbook's points of the dissociation curve: half at 27 mmHg, 90% at 60, 97.5% at 100."""
    assert saturation(np.array([26.9]))[0] == pytest.approx(50, abs=1)
    assert saturation(np.array([60.0]))[0] == pytest.approx(90.6, abs=0.6)
    assert saturation(np.array([100.0]))[0] == pytest.approx(97.7, abs=0.4)


def test_lungs_whiten_with_opacity() -> None:
    levels = np.linspace(0, 1.4, 12)
    fields = []
    for k, level in enumerate(levels):
        picture = radiograph.density(level, np.random.default_rng(k), np.random.default_rng(100 + k))
        fields.append(picture[80:160, 40:80].mean())
    assert np.corrcoef(levels, fields)[0, 1] > 0.8


@pytest.fixture(scope="module")
def people() -> tuple:
    config = SimulateConfig(subjects=0, hours=36, seed=2, records_only=60)
    drawn = patients.draw(config, range(2000, 2060))
    return drawn, insults.draw(config.seed, drawn, config.minutes)


def test_treatment_helps_and_its_absence_changes_nothing_before(people: tuple) -> None:
    real, bare = run(*people, Policy()), run(*people, Policy(pressor=False))
    treated = np.flatnonzero((real.pressor > 0).any(0))
    assert len(treated) >= 3
    for i in treated:
        first = int(np.flatnonzero(real.pressor[:, i] > 0)[0])
        np.testing.assert_array_equal(real.vitals[:first, :, i], bare.vitals[:first, :, i])
        later = slice(first + 30, first + 120)
        assert real.vitals[later, 1, i].mean() > bare.vitals[later, 1, i].mean()
    never = np.flatnonzero((real.pressor == 0).all(0))
    np.testing.assert_array_equal(real.vitals[..., never], bare.vitals[..., never])


def test_without_antibiotics_infections_last(people: tuple) -> None:
    real, bare = run(*people, Policy()), run(*people, Policy(antibiotics=False, fluids=False))
    dosed = real.doses.any(0)
    assert bare.doses.sum() == bare.boluses.sum() == 0
    assert bare.latent[-1, 0, dosed].mean() > real.latent[-1, 0, dosed].mean() + 0.05


def test_patients_differ_and_fates_are_their_own() -> None:
    config = SimulateConfig(seed=9)
    many, one = patients.draw(config, range(1, 30)), patients.draw(config, range(12, 13))
    assert float(many.hr0[11]) == float(one.hr0[0])
    assert np.std(many.map0) > 3
    assert pl.Series(many.vitals_every).n_unique() > 2
