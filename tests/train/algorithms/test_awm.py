"""Advantage weighted matching: closed form, gradient, clip."""

from __future__ import annotations

import math

import pytest
import torch

from worldr1.train.algorithms import AWM
from worldr1.train.algorithms.awm import awm_loss, matching
from worldr1.train.selftest import gradient_error


def test_at_the_old_weights_its_gradient_is_that_of_weighted_flow_matching() -> None:
    generator = torch.Generator().manual_seed(0)
    v, target = torch.randn(2, 4, 3, 2, generator=generator, dtype=torch.float64)
    v.requires_grad_()
    advantage = torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=torch.float64)
    loss, ratio = awm_loss(matching(v, target), matching(v, target).detach(), advantage, 0.1)
    assert torch.equal(ratio.detach(), torch.ones(4, dtype=torch.float64))
    weighted = (advantage * (v - target).square().mean((1, 2))).mean()
    torch.testing.assert_close(torch.autograd.grad(loss, v)[0], torch.autograd.grad(weighted, v)[0])


def test_a_bad_sample_stops_pushing_once_its_matching_loss_has_risen_enough() -> None:
    old = torch.tensor([0.5])
    for rise, moves in ((0.05, True), (0.2, False)):
        new = (old + rise).requires_grad_()
        loss, ratio = awm_loss(new, old, torch.tensor([-1.0]), 0.1)
        (gradient,) = torch.autograd.grad(loss, new)
        assert bool(gradient.abs() > 0) == moves
        assert ratio.item() == pytest.approx(math.exp(-rise))


def test_matching_is_the_mean_square_by_sample() -> None:
    v = torch.stack([torch.zeros(2, 3), torch.full((2, 3), 2.0)])
    assert matching(v, torch.full((2, 2, 3), 1.0)).tolist() == [1.0, 1.0]
    assert matching(v, torch.zeros(2, 2, 3)).tolist() == [0.0, 4.0]


def test_its_gradient_agrees_with_differences() -> None:
    assert gradient_error(AWM()) < 1e-5
