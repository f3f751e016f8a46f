"""The drawn step: its noise level, its limit, its density."""

from __future__ import annotations

import math

import pytest
import torch

from worldr1.policies.sde import (
    SamplerConfig,
    cps_mean_std,
    draw_window,
    flow_sde_mean_std,
    follow,
    log_prob,
    noise_gain,
)


@pytest.mark.parametrize("eta", [0.2, 0.8, 1.0])
@pytest.mark.parametrize(("sigma", "following"), [(1.0, 0.95), (0.7, 0.5), (0.3, 0.05)])
def test_step_keeps_the_noise_level_of_the_schedule(sigma: float, following: float, eta: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x0 = torch.tensor([1.7, -0.4]).view(1, 1, 2)
    noise, fresh = torch.randn(2, 100_000, 1, 2, generator=generator)
    x, v = (1 - sigma) * x0 + sigma * noise, noise - x0
    mean, std = cps_mean_std(x, v, sigma, following, eta)
    after = mean + std * fresh
    torch.testing.assert_close(after.mean(0), (1 - following) * x0[0], atol=0.02 * following, rtol=0)
    torch.testing.assert_close(after.std(0), torch.full((1, 2), following), atol=0.01 * following, rtol=0)


def test_without_noise_the_step_is_the_ode_step() -> None:
    generator = torch.Generator().manual_seed(1)
    x, v = torch.randn(2, 4, 6, 3, generator=generator, dtype=torch.float64)
    mean, std = cps_mean_std(x, v, 0.8, 0.65, 0.0)
    assert std == 0
    torch.testing.assert_close(mean, x + (0.65 - 0.8) * v, atol=1e-14, rtol=0)
    almost, _ = cps_mean_std(x, v, 0.8, 0.65, 1e-4)
    torch.testing.assert_close(almost, mean, atol=1e-6, rtol=0)


def test_std_is_the_stated_share_of_the_noise() -> None:
    _, std = cps_mean_std(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1), 0.9, 0.6, 0.8)
    assert std == pytest.approx(0.6 * math.sin(0.4 * math.pi))


def test_log_prob_is_a_normal_density_averaged_over_elements() -> None:
    generator = torch.Generator().manual_seed(2)
    sample, mean = torch.randn(2, 5, 7, 3, generator=generator, dtype=torch.float64)
    expected = torch.distributions.Normal(mean, 0.37).log_prob(sample).mean((1, 2))  # type: ignore[no-untyped-call]
    torch.testing.assert_close(log_prob(sample, mean, 0.37), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 0},
        {"window": 7, "window_end": 6},
        {"window_end": 13, "steps": 12},
        {"eta": -0.1},
        {"eta": 1.1},
        {"rule": "dance"},
    ],
)
def test_impossible_samplers_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"window|eta|rule"):
        SamplerConfig(**wrong)  # type: ignore[arg-type]


def test_window_stays_within_its_end_and_reaches_both_sides() -> None:
    config = SamplerConfig(steps=10, window=2, window_end=5)
    windows = {draw_window(config, torch.Generator().manual_seed(s)) for s in range(60)}
    assert windows == {range(i, i + 2) for i in range(4)}


@pytest.mark.parametrize(("window", "end"), [(1, 4), (2, 4), (4, 4), (5, 5)])
def test_what_is_calibrated_with_is_a_window_that_training_draws(window: int, end: int) -> None:
    config = SamplerConfig(steps=6, window=window, window_end=end)
    drawn = {draw_window(config, torch.Generator().manual_seed(s)) for s in range(60)}
    assert config.usual_window() in drawn


def test_flow_sde_is_the_ode_without_noise_and_keeps_the_noise_level_to_first_order() -> None:
    generator = torch.Generator().manual_seed(3)
    x, v = torch.randn(2, 4, 6, 3, generator=generator, dtype=torch.float64)
    mean, std = flow_sde_mean_std(x, v, 0.8, 0.65, 0.0)
    assert std == 0
    torch.testing.assert_close(mean, x - 0.15 * v, atol=1e-14, rtol=0)
    x0, (noise, fresh) = 1.7, torch.randn(2, 200_000, 1, 1, generator=generator, dtype=torch.float64)
    errors = []
    for delta in (0.1, 0.05, 0.025):
        mean, std = flow_sde_mean_std(0.3 * x0 + 0.7 * noise, noise - x0, 0.7, 0.7 - delta, 0.7)
        after = mean + std * fresh
        # the mean's error is linear in the noise, the spread's of second order in the step
        errors.append(abs(float(after.std()) - (0.7 - delta)))
        assert float(after.mean()) == pytest.approx((0.3 + delta) * x0, abs=0.005)
    assert errors[1] < 0.4 * errors[0]
    assert errors[0] < 0.03


def test_flow_sde_noise_is_the_stated_one_also_at_the_first_step() -> None:
    zero = torch.zeros(1, 1, 1)
    assert flow_sde_mean_std(zero, zero, 0.8, 0.7, 0.5)[1] == pytest.approx(0.5 * math.sqrt(0.8 / 0.2 * 0.1))
    assert flow_sde_mean_std(zero, zero, 1.0, 0.9, 0.5)[1] == pytest.approx(0.5 * math.sqrt(1 / 0.1 * 0.1))


@pytest.mark.parametrize("rule", ["cps", "flow-sde"])
def test_noise_gain_is_the_gradient_of_the_log_probability_per_unit_of_noise(rule: str) -> None:
    config = SamplerConfig(rule=rule, eta=0.7)  # type: ignore[arg-type]
    x, v, noise = torch.randn(3, 1, 400, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    v.requires_grad_()
    mean, std = (cps_mean_std if rule == "cps" else flow_sde_mean_std)(x, v, 0.8, 0.6, 0.7)
    (gradient,) = torch.autograd.grad(log_prob((mean + std * noise).detach(), mean, std).sum(), v)
    measured = gradient.norm() * noise.numel() / noise.norm()
    assert float(measured) == pytest.approx(noise_gain(config, 0.8, 0.6))


def test_follow_draws_in_the_window_only_and_keeps_what_it_is_asked_for() -> None:
    config = SamplerConfig(steps=4, window=1, window_end=2)
    sigmas, x0 = [1.0, 0.75, 0.5, 0.25, 0.0], torch.full((2, 3, 1), 0.4)
    start = torch.randn(2, 3, 1, generator=torch.Generator().manual_seed(0))
    calls = []

    def noise() -> torch.Tensor:
        calls.append(1)
        return torch.ones(2, 3, 1)

    # the velocity of a model that knows the answer leads there whatever was drawn
    def velocity(x: torch.Tensor, i: int) -> torch.Tensor:
        return (x - x0) / sigmas[i]

    end, drawn, kept = follow(velocity, start, sigmas, config, range(1, 2), noise, keep=(0, 3))
    torch.testing.assert_close(end, x0)
    assert len(calls) == 1
    assert [d.index for d in drawn] == [1]
    torch.testing.assert_close(drawn[0].after, drawn[0].mean + drawn[0].std)
    assert kept.keys() == {0, 3}
    assert torch.equal(kept[0], start)
    torch.testing.assert_close(kept[3] - 0.25 * velocity(kept[3], 3), end)
