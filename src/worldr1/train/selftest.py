"""What must hold before a run spends time: the sampler draws, the replay agrees, the reward tells good from bad."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from worldr1.policies.ltx_policy import LTXPolicy
from worldr1.policies.sde import cps_mean_std, log_prob
from worldr1.train.grpo import grpo_loss
from worldr1.types import Clip, Prompt, Reward, Rollout


class SelfTestError(ValueError):
    """A check failed; the message says what to look at."""


def z_rms(policy: LTXPolicy, rollouts: Sequence[Rollout]) -> float:
    """RMS of (x' − μ)/s over the drawn steps, μ recomputed: 1 if they were drawn, 0 if they followed an ODE."""
    squares = []
    for k in range(len(rollouts[0].steps)):
        with torch.no_grad():
            _, mean, _ = policy.replay(rollouts, k)
        after = torch.stack([r.steps[k].after for r in rollouts])
        squares.append((((after - mean) / rollouts[0].steps[k].std) ** 2).mean())
    return math.sqrt(float(torch.stack(squares).mean()))


def first_ratio_error(policy: LTXPolicy, rollouts: Sequence[Rollout]) -> float:
    """Largest |ratio − 1| before any update."""
    worst = 0.0
    for k in range(len(rollouts[0].steps)):
        old = torch.tensor([r.steps[k].log_prob for r in rollouts])
        with torch.no_grad():
            ratio = torch.exp(policy.log_prob(rollouts, k) - old)
        worst = max(worst, float((ratio - 1).abs().max()))
    return worst


def log_prob_error() -> float:
    """Difference of `log_prob` from `torch.distributions.Normal` in float64 on a made-up step."""
    generator = torch.Generator().manual_seed(0)
    x, v = (torch.randn(3, 5, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    mean, std = cps_mean_std(x, v, 0.9, 0.8, 0.8)
    sample = mean + std * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    closed = torch.distributions.Normal(mean, std).log_prob(sample).mean((1, 2))
    return float((log_prob(sample, mean, std) - closed).abs().max())


def gradient_error() -> float:
    """Relative difference of the loss's gradient from central differences, for a velocity of one parameter."""
    generator = torch.Generator().manual_seed(1)
    x, direction, after = (torch.randn(4, 3, 2, generator=generator, dtype=torch.float64) for _ in range(3))
    advantage = torch.tensor([1.0, -0.5, 0.3, -0.8], dtype=torch.float64)

    def loss(theta: torch.Tensor) -> torch.Tensor:
        v = theta * direction
        mean, std = cps_mean_std(x, v, 0.9, 0.7, 0.8)
        old = log_prob(after, cps_mean_std(x, 0.5 * direction, 0.9, 0.7, 0.8)[0], std)
        new = log_prob(after, mean, std)
        return grpo_loss(new, old, advantage, v, torch.zeros_like(v), clip=10.0, kl_weight=0.1).loss

    theta = torch.tensor(0.6, dtype=torch.float64, requires_grad=True)
    (analytic,) = torch.autograd.grad(loss(theta), theta)
    h = 1e-5
    numeric = (loss(theta.detach() + h) - loss(theta.detach() - h)) / (2 * h)
    return float((analytic - numeric).abs() / numeric.abs())


def run_self_tests(
    policy: LTXPolicy, reward: Reward, prompts: Sequence[Prompt], window: range, good: Rollout, bad: Rollout
) -> dict[str, float]:
    """Run all checks and return what they measured; raises `SelfTestError` for the first that fails.

    ``good`` and ``bad`` are a clean and a violated rendering of the same scene.
    """
    rollouts = policy.sample(prompts, range(len(prompts)), window)
    scores = [s.value for s in reward([good, bad])]
    if scores[0] is None or scores[1] is None:
        raise SelfTestError("the reward abstains on a rendered clip; look at the notes of its terms")
    measured = {
        "z_rms": z_rms(policy, rollouts),
        "first_ratio_error": first_ratio_error(policy, rollouts),
        "log_prob_error": log_prob_error(),
        "gradient_error": gradient_error(),
        "reward_margin": scores[0] - scores[1],
    }
    checks = {
        "z_rms": (abs(measured["z_rms"] - 1) <= 0.02, "the sampler does not draw from the density it scores"),
        "first_ratio_error": (measured["first_ratio_error"] == 0, "replaying a step gives other numbers than sampling"),
        "log_prob_error": (measured["log_prob_error"] < 1e-9, "the log-probability is not a normal density's"),
        "gradient_error": (measured["gradient_error"] < 1e-5, "the loss's gradient is wrong"),
        "reward_margin": (measured["reward_margin"] > 0, "the reward prefers a violated clip to the clean one"),
    }
    for name, (passed, meaning) in checks.items():
        if not passed:
            raise SelfTestError(f"self-test {name} = {measured[name]:.4g}: {meaning}")
    return measured


def as_rollout(prompt: Prompt, clip: Clip) -> Rollout:
    """A rendered clip as if it had been sampled, so that a reward can be asked about it."""
    return Rollout(prompt, clip, ())
