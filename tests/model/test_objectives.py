from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from clinical_jepa.model import monitors
from clinical_jepa.model.objectives import ema_l1, grounded, inverse, vicreg


def test_smooth_l1_by_its_formula_on_windows_that_exist_and_without_gradient_into_the_target() -> None:
    predicted = torch.tensor([[[0.5, 3.0], [9.0, 9.0]]], requires_grad=True)
    target = torch.zeros(1, 2, 2, requires_grad=True)
    loss = ema_l1.ema_l1(predicted, target, torch.tensor([[1.0, 0.0]]))
    assert loss.item() == pytest.approx((0.5 * 0.5**2 + (3 - 0.5)) / 2)
    loss.backward()
    assert target.grad is None
    assert (predicted.grad[0, 1] == 0).all()
    assert ema_l1.ema_l1(predicted, target, torch.zeros(1, 2)).item() == 0


def test_the_teacher_follows_by_its_share() -> None:
    teacher, student = nn.Linear(2, 2), nn.Linear(2, 2)
    expected = 0.9 * teacher.weight + 0.1 * student.weight
    ema_l1.follow(teacher, student, 0.9)
    torch.testing.assert_close(teacher.weight, expected)


def test_variance_and_covariance_by_their_formulas() -> None:
    z = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 4)) * np.array([0.2, 0.5, 1, 3])).float()
    matrix = np.cov(z.numpy().T)
    floor = np.maximum(0, 1 - np.sqrt(np.diag(matrix) + 1e-4)).mean()
    assert vicreg.variance(z).item() == pytest.approx(floor, rel=1e-4)
    off = (matrix**2).sum() - (np.diag(matrix) ** 2).sum()
    assert vicreg.covariance(z).item() == pytest.approx(off / 4, rel=1e-3)
    assert vicreg.variance(z[:1]).item() == vicreg.covariance(z[:1]).item() == 0


def test_a_collapsed_batch_costs_and_has_rank_one() -> None:
    spread = torch.randn(64, 16)
    same = spread[:1].expand(64, 16) + 1e-4 * torch.randn(64, 1)
    assert vicreg.variance(same).item() > 0.95
    assert monitors.rankme(same) == pytest.approx(1, abs=0.01)
    assert monitors.rankme(spread) > 12
    assert monitors.spread(same) < 2e-4


def test_grounding_counts_only_what_came_with_a_value() -> None:
    predicted, target = torch.zeros(1, 1, 3, 3), torch.full((1, 1, 3, 3), 0.5)
    seen = torch.tensor([[[1.0, 0.5, 0.0]]])  # with a value, without one, not at all
    assert grounded.values(predicted, target, seen).item() == pytest.approx(0.125)
    target[..., 1:] = 100
    assert grounded.values(predicted, target, seen).item() == pytest.approx(0.125)
    assert grounded.values(predicted, target, torch.zeros(1, 1, 3)).item() == 0
    confident = torch.tensor([[[9.0, 9.0, -9.0]]])
    assert grounded.presence(confident, seen).item() < 1e-3


def test_inverse_dynamics_leaves_empty_windows_out() -> None:
    logit, treated = torch.tensor([[[9.0, -9.0], [-9.0, 9.0]]]), torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    assert inverse.inverse(logit, treated, torch.tensor([[1.0, 0.0]])).item() < 1e-3
    assert inverse.inverse(logit, treated, torch.tensor([[1.0, 1.0]])).item() > 4
