"""The loss: its value, its gradient's direction, its clipping."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from worldr1.train.grpo import GRPOLoss, grpo_loss
from worldr1.train.selftest import gradient_error, log_prob_error

ZERO = torch.zeros(2, 3, 2)


def loss_of(new: Tensor, old: Tensor, advantage: Tensor, clip: float = 0.1) -> GRPOLoss:
    return grpo_loss(new, old, advantage, ZERO, ZERO, clip=clip, kl_weight=0.0)


def test_at_equality_the_ratio_is_one_and_the_loss_minus_the_mean_advantage() -> None:
    old, advantage = torch.tensor([-1.3, 0.4]), torch.tensor([2.0, -0.5])
    result = loss_of(old.clone(), old, advantage)
    assert result.ratio.tolist() == [1.0, 1.0]
    assert result.loss.item() == pytest.approx(-0.75)
    assert result.clipped == 0
    assert result.kl == 0


def test_descent_raises_what_was_good_and_lowers_what_was_bad() -> None:
    old = torch.tensor([-1.0, -1.0])
    new = old.clone().requires_grad_()
    loss_of(new, old, torch.tensor([1.0, -2.0])).loss.backward()  # type: ignore[no-untyped-call]
    assert new.grad is not None
    torch.testing.assert_close(new.grad, torch.tensor([-0.5, 1.0]))


@pytest.mark.parametrize(
    ("log_ratio", "advantage", "moves"),
    [(0.5, 1.0, False), (0.5, -1.0, True), (-0.5, -1.0, False), (-0.5, 1.0, True), (0.05, 1.0, True)],
)
def test_the_clip_stops_what_has_gone_far_enough(log_ratio: float, advantage: float, moves: bool) -> None:
    new = torch.tensor([log_ratio, log_ratio], requires_grad=True)
    result = loss_of(new, torch.zeros(2), torch.tensor([advantage, advantage]))
    result.loss.backward()  # type: ignore[no-untyped-call]
    assert new.grad is not None
    assert bool((new.grad != 0).all()) == moves
    assert result.clipped == (abs(math.exp(log_ratio) - 1) > 0.1)
    if not moves:
        assert result.loss.item() == pytest.approx(-advantage * (1.1 if log_ratio > 0 else 0.9))


def test_kl_is_the_squared_distance_of_the_velocities() -> None:
    v = torch.full((2, 3, 2), 0.5, requires_grad=True)
    result = grpo_loss(torch.zeros(2), torch.zeros(2), torch.zeros(2), v, ZERO, clip=0.1, kl_weight=0.2)
    assert result.kl.item() == pytest.approx(0.25)
    assert result.loss.item() == pytest.approx(0.05)
    result.loss.backward()  # type: ignore[no-untyped-call]
    assert v.grad is not None
    assert (v.grad > 0).all()  # back towards the base


def test_the_closed_form_checks_of_the_self_test() -> None:
    assert log_prob_error() < 1e-9
    assert gradient_error() < 1e-5
