"""The drawn step: its noise level, its limit, its density."""

from __future__ import annotations

import math

import pytest
import torch

from worldr1.policies.sde import SamplerConfig, cps_mean_std, draw_window, log_prob


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
        {"eta": 0.0},
        {"eta": -0.1},
        {"eta": 1.1},
    ],
)
def test_impossible_samplers_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"window|eta"):
        SamplerConfig(**wrong)  # type: ignore[arg-type]


def test_window_stays_within_its_end_and_reaches_both_sides() -> None:
    config = SamplerConfig(steps=10, window=2, window_end=5)
    windows = {draw_window(config, torch.Generator().manual_seed(s)) for s in range(60)}
    assert windows == {range(i, i + 2) for i in range(4)}
