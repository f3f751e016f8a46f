"""The loss: its value, its gradient's direction, its clipping."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from learners import PlainBrightness
from worldr1.policies.sde import SamplerConfig, flow_sde_mean_std, log_prob
from worldr1.train.algorithms.grpo import GRPO, GRPOLoss, grpo_loss, guarded_log_ratio, step_weights
from worldr1.train.selftest import gradient_error, log_prob_error

ZERO = torch.zeros(2, 3, 2)


def loss_of(new: Tensor, old: Tensor, advantage: Tensor, clip: float = 0.1) -> GRPOLoss:
    return grpo_loss(new - old, advantage, ZERO, ZERO, clip=clip, kl_weight=0.0)


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
    result = grpo_loss(torch.zeros(2), torch.zeros(2), v, ZERO, clip=0.1, kl_weight=0.2)
    assert result.kl.item() == pytest.approx(0.25)
    assert result.loss.item() == pytest.approx(0.05)
    result.loss.backward()  # type: ignore[no-untyped-call]
    assert v.grad is not None
    assert (v.grad > 0).all()  # back towards the base


def test_the_guarded_ratio_is_linear_in_the_shift_of_the_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    mean_old, noise, shift = torch.randn(3, 4, 6, 2, generator=generator, dtype=torch.float64)
    for std in (0.1, 0.5):
        drawn, mean = mean_old + std * noise, mean_old + 0.05 * shift
        new, old = log_prob(drawn, mean, std), log_prob(drawn, mean_old, std)
        expected = (0.05 * shift * noise).mean((1, 2))  # the noise level is gone, and with it the bias below zero
        torch.testing.assert_close(guarded_log_ratio(new, old, mean, mean_old, std), expected, atol=1e-12, rtol=0)


def test_the_plain_ratio_is_biased_where_the_guarded_one_is_not() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(4000, 3, 2, generator=generator, dtype=torch.float64)
    mean = torch.full_like(noise, 0.03)
    new, old = log_prob(0.1 * noise, mean, 0.1), log_prob(0.1 * noise, torch.zeros_like(mean), 0.1)
    assert (new - old).mean().item() == pytest.approx(-0.045, abs=0.01)
    assert guarded_log_ratio(new, old, mean, torch.zeros_like(mean), 0.1).mean().item() == pytest.approx(0, abs=1e-3)


def test_iso_temporal_weights_are_the_published_ones_with_mean_one() -> None:
    sampler = SamplerConfig(steps=5, window=2, window_end=4, rule="flow-sde", eta=0.7)
    sigmas = [0.8, 0.65, 0.5, 0.3, 0.1, 0.0]
    raw = []
    for i in range(4):
        s, delta = 0.7 * math.sqrt(sigmas[i] / (1 - sigmas[i])), sigmas[i] - sigmas[i + 1]
        raw.append(1 / (math.sqrt(delta) / s + s * math.sqrt(delta) * (1 - sigmas[i]) / (2 * sigmas[i])))
    expected = [w * 4 / sum(raw) for w in raw]
    assert step_weights(sampler, sigmas) == pytest.approx(expected)


def test_weighted_steps_have_equal_gradients() -> None:
    sampler = SamplerConfig(steps=5, window=1, window_end=4, rule="flow-sde", eta=0.7)
    sigmas = [0.98, 0.8, 0.6, 0.4, 0.2, 0.0]
    x, v0, noise = torch.randn(3, 2, 50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sizes = []
    for i, weight in enumerate(step_weights(sampler, sigmas)):
        v = v0.clone().requires_grad_()
        mean, std = flow_sde_mean_std(x, v, sigmas[i], sigmas[i + 1], 0.7)
        new = log_prob((mean + std * noise).detach(), mean, std)
        loss = grpo_loss(new - new.detach(), torch.ones(2), v, v.detach(), clip=0.1, kl_weight=0.0, weight=weight)
        sizes.append(float(torch.autograd.grad(loss.loss, v)[0].norm()))
    assert max(sizes) == pytest.approx(min(sizes))


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (SamplerConfig(eta=0.0), "follows the ODE"),
        (SamplerConfig(steps=4, window=4, window_end=4), "window_end to 3 or less"),
    ],
)
def test_samplers_that_draw_nothing_are_refused(sampler: SamplerConfig, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GRPO().check(sampler, PlainBrightness())
    GRPO().check(SamplerConfig(steps=4, window=4, window_end=4, rule="flow-sde"), PlainBrightness())


@pytest.mark.parametrize("rule", ["cps", "flow-sde"])
@pytest.mark.parametrize("guard", [False, True])
def test_the_closed_form_checks_of_the_self_test(rule: str, guard: bool) -> None:
    assert log_prob_error() < 1e-9
    assert gradient_error(GRPO(guard=guard), SamplerConfig(rule=rule)) < 1e-5  # type: ignore[arg-type]
