"""The reward's gradient reaches the weights through the last steps and the decoder, and is the right one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from learners import Brightness, PlainBrightness, prompt
from toys import SAMPLER, toy_policy
from worldr1.train.algorithms import RewardGradient
from worldr1.train.algorithms.base import Update
from worldr1.train.algorithms.reward_gradient import reward_gradient_loss
from worldr1.train.rollout import sample

NAN = float("nan")


def test_the_loss_is_minus_the_mean_of_what_is_told_and_nan_has_no_gradient() -> None:
    values = torch.tensor([0.5, 0.1, 0.3], requires_grad=True)
    loss = reward_gradient_loss(torch.where(torch.tensor([True, False, True]), values, NAN))
    assert loss.item() == pytest.approx(-0.4)
    assert torch.autograd.grad(loss, values)[0].tolist() == pytest.approx([-0.5, 0.0, -0.5])
    nothing = torch.full((2,), NAN, requires_grad=True)
    assert torch.autograd.grad(reward_gradient_loss(nothing), nothing)[0].tolist() == [0.0, 0.0]


def test_impossible_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="not differentiable"):
        RewardGradient().check(SAMPLER, PlainBrightness())
    with pytest.raises(ValueError, match="use 1 to 6"):
        RewardGradient(last=7).check(SAMPLER, Brightness())


@pytest.mark.parametrize("last", [1, 2])
def test_the_gradient_predicts_how_the_reward_changes(last: int) -> None:
    policy, algorithm = toy_policy(), RewardGradient(last=last, chunk=2)
    parameters = policy.add_lora(4)
    with torch.no_grad():
        for p in parameters:
            p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    prompts = [prompt(k) for k in range(3)]
    batch = sample(policy, prompts, [1, 2, 3], keep=algorithm.keep(policy.sampler))
    update = Update(policy, Brightness(), batch, torch.ones(3), 0.1, 0.0, torch.Generator())
    parts = algorithm.parts(update)
    assert len(parts) == 2
    value = sum(part().value for part in parts) / len(parts)
    assert isinstance(value, torch.Tensor)
    assert -value.item() == pytest.approx(float(torch.stack([r.clip.video for r in batch.rollouts]).mean()), abs=1e-3)
    gradients = torch.autograd.grad(value, parameters)

    def shifted(t: float) -> float:
        with torch.no_grad():
            for p, g in zip(parameters, gradients, strict=True):
                p.add_(t * g / norm)
            out = sum(part().value for part in algorithm.parts(update)) / len(parts)
            for p, g in zip(parameters, gradients, strict=True):
                p.sub_(t * g / norm)
        return float(out)

    norm = torch.cat([g.flatten() for g in gradients]).norm()
    h = 0.3  # large: the transformer computes in bfloat16
    assert (shifted(h) - shifted(-h)) / (2 * h) == pytest.approx(float(norm), rel=0.15)


def test_kl_pulls_back_to_the_base() -> None:
    policy, algorithm = toy_policy(), RewardGradient()
    parameters = policy.add_lora(4)
    with torch.no_grad():
        for p in parameters:
            p.add_(0.2 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    batch = sample(policy, [prompt(0)], [1], keep=algorithm.keep(policy.sampler))
    update = Update(policy, Brightness(), batch, torch.ones(1), 0.1, 0.0, torch.Generator())
    free, held = (algorithm.parts(replace(update, kl_weight=w))[0]() for w in (0.0, 5.0))
    assert held.watched["kl"] > 1e-4
    assert (held.value - free.value).item() == pytest.approx(5 * held.watched["kl"], rel=1e-3)
