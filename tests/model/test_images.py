"""Prepared pictures: shape, range, orientation, physical aspect, no aliasing, and the same bytes again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.model.encoders.images import prepare, target_size


def gradient(rows: int, columns: int) -> np.ndarray:
    """Brighter to the right and, more weakly, downwards."""
    return (np.linspace(0, 0.8, columns)[None, :] + np.linspace(0, 0.2, rows)[:, None]).astype(np.float32)


def test_a_picture_keeps_its_orientation_and_fills_the_range() -> None:
    out = prepare(gradient(300, 300), None)
    assert out.shape == (64, 64)
    assert out.dtype == np.float32
    assert (np.diff(out.mean(axis=0)) > 0).all()
    assert (np.diff(out.mean(axis=1)) > 0).all()
    assert out.min() == pytest.approx(0.0, abs=0.02)
    assert out.max() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("shape", "spacing", "size"),
    [
        ((100, 100), None, (64, 64)),
        ((100, 50), None, (64, 32)),
        ((50, 100), None, (32, 64)),
        ((50, 100), (0.2, 0.1), (64, 64)),
        ((100, 100), (0.1, 0.4), (16, 64)),
        ((1, 1000), None, (1, 64)),
    ],
)
def test_the_physical_aspect_is_kept(shape: tuple[int, int], spacing: tuple[float, float], size: tuple) -> None:
    assert target_size(shape, spacing) == size
    out = prepare(0.5 + 0.5 * gradient(*shape), spacing)
    assert out.shape == (64, 64)
    border = (64 - size[0]) // 2
    assert not out[:border].any()
    assert not out[:, : (64 - size[1]) // 2].any()


def test_fine_stripes_become_grey_and_no_false_pattern() -> None:
    stripes = np.tile(np.array([0.0, 1.0], np.float32), (512, 256))
    inner = prepare(stripes, None)[4:-4, 4:-4]
    assert inner.mean() == pytest.approx(0.5, abs=0.05)
    assert inner.std() < 0.1


def test_the_result_does_not_depend_on_the_number_of_threads() -> None:
    picture = np.random.default_rng(3).random((257, 191), dtype=np.float32)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        two = prepare(picture, (0.1, 0.2))
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        one = prepare(picture, (0.1, 0.2))
    finally:
        torch.set_num_threads(before)
    assert one.tobytes() == two.tobytes()


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 200), columns=st.integers(1, 200), seed=st.integers(0, 9), kind=st.integers(0, 3))
def test_any_picture_gives_finite_values_between_0_and_1(rows: int, columns: int, seed: int, kind: int) -> None:
    picture = np.random.default_rng(seed).random((rows, columns), dtype=np.float32)
    if kind == 1:
        picture[:] = 0.3
    if kind == 2:
        picture[0, 0] = np.nan
    if kind == 3:
        picture = (picture > 0.999).astype(np.float32)  # nearly all black: both percentiles are 0
    out = prepare(picture, (0.2, 0.1))
    assert out.shape == (64, 64)
    assert np.isfinite(out).all()
    assert out.min() >= 0.0
    assert out.max() <= 1.0
