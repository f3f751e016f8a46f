"""From an ODE sampler to one that draws: the drawn step, its log-probability, and which steps are drawn.

Convention: x_σ = (1−σ)x₀ + σε, velocity v = ε − x₀, so x̂₀ = x − σv and the noise estimate x̂₁ = x + (1−σ)v.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class SamplerConfig:
    """How clips are sampled."""

    steps: int = 12
    eta: float = 0.8  # share of the noise that a drawn step renews: 0 is the ODE
    window: int = 2  # drawn steps per rollout
    window_end: int = 6  # the window lies within the first this many steps
    guidance: float = 1.0  # classifier-free guidance; 1 is none
    rule: Literal["cps", "flow-sde"] = "cps"  # how a drawn step draws

    def __post_init__(self) -> None:
        if not 0 < self.window <= self.window_end <= self.steps:
            raise ValueError(
                "the sampler needs 0 < window <= window_end <= steps, "
                f"not {self.window}, {self.window_end}, {self.steps}"
            )
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta must lie in [0, 1], not {self.eta}")
        if self.rule not in RULES:
            raise ValueError(f"unknown rule {self.rule!r} of the drawn step; use one of {', '.join(RULES)}")

    def usual_window(self) -> range:
        """Of the windows that training draws from the second, or the only one: to calibrate and test with."""
        start = min(1, self.window_end - self.window)
        return range(start, start + self.window)


def cps_mean_std(x: Tensor, v: Tensor, sigma: float, following: float, eta: float) -> tuple[Tensor, float]:
    """Mean (shape of ``x``) and standard deviation of one coefficient-preserving step from σ to σ' < σ.

    x' = (1−σ')x̂₀ + √(σ'²−s²)·x̂₁ + s·ε with s = σ'·sin(ηπ/2): the noise level stays exactly σ', whatever η.
    Flow-CPS, Wang & Yu 2025 (arXiv:2509.05952).
    """
    std = following * math.sin(eta * math.pi / 2)
    x0 = x - sigma * v
    x1 = x + (1 - sigma) * v
    return (1 - following) * x0 + math.sqrt(max(following**2 - std**2, 0.0)) * x1, std


def flow_sde_mean_std(x: Tensor, v: Tensor, sigma: float, following: float, eta: float) -> tuple[Tensor, float]:
    """Mean (shape of ``x``) and standard deviation of one Euler-Maruyama step of the reverse-time SDE.

    μ = x(1 − s²Δ/2σ) − v(1 + s²(1−σ)/2σ)Δ, x' = μ + s√Δ·ε, s = η√(σ/(1−σ)), Δ = σ − σ'. The marginals are kept to
    first order in Δ only: what is left of the clip is exactly 1 − σ', the noise a little more than σ'. Flow-GRPO, Liu
    et al. 2025 (arXiv:2505.05470). s is singular at σ = 1, where 1 − σ' = Δ is taken there for 1 − σ; here for every
    1 − σ below Δ, since the schedules of published models start just under 1 (Wan's at .9997) as often as at it.
    """
    delta = sigma - following
    s2 = eta**2 * sigma / max(1 - sigma, delta)
    mean = x * (1 - s2 * delta / (2 * sigma)) - v * (1 + s2 * (1 - sigma) / (2 * sigma)) * delta
    return mean, math.sqrt(s2 * delta)


RULES = {"cps": cps_mean_std, "flow-sde": flow_sde_mean_std}


def mean_std(config: SamplerConfig, x: Tensor, v: Tensor, sigma: float, following: float) -> tuple[Tensor, float]:
    """Mean and standard deviation of a drawn step by the configured rule."""
    return RULES[config.rule](x, v, sigma, following, config.eta)


def noise_gain(config: SamplerConfig, sigma: float, following: float) -> float:
    """|∂μ/∂v| / std of a drawn step: the size of the log-probability's gradient by the velocity, per unit of noise.

    For Flow-SDE this is √Δ/s + s√Δ(1−σ)/2σ. It differs by the step, so that without a correction some steps of a
    window learn faster than others.
    """
    zero, one = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    mean, std = mean_std(config, zero, one, sigma, following)
    return abs(float(mean)) / std


def log_prob(sample: Tensor, mean: Tensor, std: float) -> Tensor:
    """log N(sample; mean, std²) averaged over the elements of each sample: ``[n]`` from ``[n, tokens, channels]``.

    The average instead of the sum keeps ratios near 1 whatever the size of the latent (as in Flow-GRPO).
    """
    z2 = ((sample - mean) / std) ** 2
    return -0.5 * z2.mean((1, 2)) - math.log(std) - 0.5 * math.log(2 * math.pi)


def draw_window(config: SamplerConfig, generator: torch.Generator) -> range:
    """The steps of this iteration that are drawn; every sample shares them."""
    start = int(torch.randint(config.window_end - config.window + 1, (1,), generator=generator))
    return range(start, start + config.window)


@dataclass(frozen=True)
class Drawn:
    """One drawn step of a batch, every tensor ``[n, tokens, channels]``."""

    index: int  # position in the schedule
    before: Tensor
    after: Tensor
    mean: Tensor
    std: float
    log_prob: Tensor  # [n]


def follow(
    velocity: Callable[[Tensor, int], Tensor],
    x: Tensor,
    sigmas: Sequence[float],
    config: SamplerConfig,
    window: range,
    noise: Callable[[], Tensor],
    keep: Container[int] = (),
) -> tuple[Tensor, list[Drawn], dict[int, Tensor]]:
    """Sample from noise ``x`` ``[n, tokens, channels]``: the steps in ``window`` are drawn, the others follow the ODE.

    ``velocity(x, i)`` is the model at step ``i``, ``noise()`` fresh noise of the shape of ``x``. Returns the clean
    latents, the drawn steps and the latents before the steps in ``keep``.
    """
    drawn, kept = [], {}
    for i in range(config.steps):
        if i in keep:
            kept[i] = x
        v = velocity(x, i)
        if i in window:
            mean, std = mean_std(config, x, v, sigmas[i], sigmas[i + 1])
            after = mean + std * noise()
            drawn.append(Drawn(i, x, after, mean, std, log_prob(after, mean, std)))
            x = after
        else:
            x = x + (sigmas[i + 1] - sigmas[i]) * v
    return x, drawn, kept
