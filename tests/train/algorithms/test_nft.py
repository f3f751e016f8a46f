"""DiffusionNFT's loss: closed form, and the direction it moves in."""

from __future__ import annotations

import pytest
import torch

from worldr1.train.algorithms import NFT
from worldr1.train.algorithms.nft import nft_loss, optimality
from worldr1.train.selftest import gradient_error


def test_the_loss_in_closed_form() -> None:
    v, v_old, target = (torch.full((1, 2, 3), x) for x in (1.0, 0.5, 2.0))
    # β = ½: v⁺ = ¾, v⁻ = ¼; r = 0.8
    plain = nft_loss(v, v_old, target, torch.tensor([0.8]), 0.5, normalise=False)
    assert plain.item() == pytest.approx(0.8 * 1.25**2 + 0.2 * 1.75**2)
    scaled = nft_loss(v, v_old, target, torch.tensor([0.8]), 0.5)
    assert scaled.item() == pytest.approx(0.8 * 1.25 + 0.2 * 1.75)


@pytest.mark.parametrize(("advantage", "direction"), [(3.0, 1.0), (-3.0, -1.0), (0.0, 0.0)])
def test_good_samples_attract_bad_ones_repel_and_the_others_do_nothing(advantage: float, direction: float) -> None:
    v_old, target = torch.zeros(1, 2, 3), torch.ones(1, 2, 3)
    v = v_old.clone().requires_grad_()
    loss = nft_loss(v, v_old, target, optimality(torch.tensor([advantage]), 3.0), 0.3)
    (gradient,) = torch.autograd.grad(loss, v)
    assert torch.equal((-gradient).sign(), torch.full_like(v, direction))


def test_optimality_is_clipped() -> None:
    assert optimality(torch.tensor([-9.0, -1.5, 0.0, 1.5, 9.0]), 3.0).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_its_gradient_agrees_with_differences() -> None:
    assert gradient_error(NFT()) < 1e-5
