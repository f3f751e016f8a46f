"""From an ODE sampler to one that draws: the CPS step, its log-probability, and which steps are drawn.

Convention: x_σ = (1−σ)x₀ + σε, velocity v = ε − x₀, so x̂₀ = x − σv and the noise estimate x̂₁ = x + (1−σ)v.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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

    def __post_init__(self) -> None:
        if not 0 < self.window <= self.window_end <= self.steps:
            raise ValueError(
                "the sampler needs 0 < window <= window_end <= steps, "
                f"not {self.window}, {self.window_end}, {self.steps}"
            )
        if not 0 < self.eta <= 1:
            raise ValueError(f"eta must lie in (0, 1], not {self.eta}: at 0 nothing is drawn and nothing is learnt")


def cps_mean_std(x: Tensor, v: Tensor, sigma: float, following: float, eta: float) -> tuple[Tensor, float]:
    """Mean (shape of ``x``) and standard deviation of one coefficient-preserving step from σ to σ' < σ.

    x' = (1−σ')x̂₀ + √(σ'²−s²)·x̂₁ + s·ε with s = σ'·sin(ηπ/2): the noise level stays exactly σ', whatever η.
    Flow-CPS, Wang & Yu 2025 (arXiv:2509.05952).
    """
    std = following * math.sin(eta * math.pi / 2)
    x0 = x - sigma * v
    x1 = x + (1 - sigma) * v
    return (1 - following) * x0 + math.sqrt(max(following**2 - std**2, 0.0)) * x1, std


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
