"""What must hold before a run spends time: the sampler draws, the replay agrees, the reward tells good from bad."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor

from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.policies.sde import RULES, SamplerConfig, log_prob, mean_std
from worldr1.train.algorithms import GRPO, Algorithm
from worldr1.train.algorithms.awm import awm_loss, matching
from worldr1.train.algorithms.grpo import grpo_loss, guarded_log_ratio
from worldr1.train.algorithms.nft import nft_loss
from worldr1.train.algorithms.reward_gradient import DifferentiableReward, reward_gradient_loss
from worldr1.train.rollout import replay, sample
from worldr1.types import Clip, Prompt, Reward, Rollout


class SelfTestError(ValueError):
    """A check failed; the message says what to look at."""


def z_rms(policy: DiffusersPolicy, rollouts: Sequence[Rollout]) -> float:
    """RMS of (x' − μ)/s over the drawn steps, μ recomputed: 1 if they were drawn, 0 if they followed an ODE."""
    squares = []
    for k in range(len(rollouts[0].steps)):
        with torch.no_grad():
            _, mean, _ = replay(policy, rollouts, k)
        after = torch.stack([r.steps[k].after for r in rollouts])
        squares.append((((after - mean) / rollouts[0].steps[k].std) ** 2).mean())
    return math.sqrt(float(torch.stack(squares).mean()))


def first_ratio_error(policy: DiffusersPolicy, rollouts: Sequence[Rollout]) -> float:
    """Largest |ratio − 1| before any update."""
    worst = 0.0
    for k in range(len(rollouts[0].steps)):
        old = torch.tensor([r.steps[k].log_prob for r in rollouts])
        with torch.no_grad():
            ratio = torch.exp(replay(policy, rollouts, k)[2] - old)
        worst = max(worst, float((ratio - 1).abs().max()))
    return worst


def log_prob_error() -> float:
    """Difference of `log_prob` from `torch.distributions.Normal` in float64 on made-up steps of every rule."""
    generator = torch.Generator().manual_seed(0)
    x, v, noise = (torch.randn(3, 5, 4, generator=generator, dtype=torch.float64) for _ in range(3))
    worst = 0.0
    for rule in RULES.values():
        mean, std = rule(x, v, 0.9, 0.8, 0.8)
        drawn = mean + std * noise
        closed = torch.distributions.Normal(mean, std).log_prob(drawn).mean((1, 2))
        worst = max(worst, float((log_prob(drawn, mean, std) - closed).abs().max()))
    return worst


def gradient_error(algorithm: Algorithm | None = None, sampler: SamplerConfig | None = None) -> float:
    """Relative difference of the loss's gradient from central differences, for a velocity of one parameter."""
    algorithm, sampler = algorithm or GRPO(), sampler or SamplerConfig()
    generator = torch.Generator().manual_seed(1)
    x, direction, after = (torch.randn(4, 3, 2, generator=generator, dtype=torch.float64) for _ in range(3))
    advantage = torch.tensor([1.0, -0.5, 0.3, -0.8], dtype=torch.float64)
    v_old = 0.5 * direction

    def drawn(v: Tensor) -> Tensor:
        mean, std = mean_std(sampler, x, v, 0.9, 0.7)
        old_mean, _ = mean_std(sampler, x, v_old, 0.9, 0.7)
        new, old = log_prob(after, mean, std), log_prob(after, old_mean, std)
        guard = isinstance(algorithm, GRPO) and algorithm.guard
        log_ratio = guarded_log_ratio(new, old, mean, old_mean, std) if guard else new - old
        return grpo_loss(log_ratio, advantage, v, torch.zeros_like(v), clip=10.0, kl_weight=0.1).loss

    losses: dict[str, Callable[[Tensor], Tensor]] = {
        "grpo": drawn,
        "ppo": drawn,
        "awm": lambda v: awm_loss(matching(v, after), matching(v_old, after), advantage, 10.0)[0],
        "reward_gradient": lambda v: reward_gradient_loss((x - v).square().mean((1, 2))),
        # without the normalisation, which the gradient holds constant and differences would not
        "nft": lambda v: nft_loss(v, v_old, after, (1 + advantage) / 2, 0.7, normalise=False),
    }
    theta = torch.tensor(0.6, dtype=torch.float64, requires_grad=True)
    return _relative_difference(lambda t: losses[algorithm.name](t * direction), theta, 1e-5)


def reward_gradient_error(reward: DifferentiableReward, good: Rollout) -> float:
    """Relative difference between the change that the gradient predicts and the one that comes.

    Every pixel moves by a thousandth along the gradient's sign. Masks and nearest surfaces switch on the way, so that
    even a right gradient predicts to a tenth or two only.
    """
    video = good.clip.video.clamp(0.02, 0.98)[None].requires_grad_()
    value = reward.values(video, [good.prompt])[0]
    if value.isnan():
        raise SelfTestError("no differentiable term applies to a rendered clip; look at the terms' abstentions")
    (gradient,) = torch.autograd.grad(value, video)
    if not gradient.any():
        return 1.0  # it predicts that nothing changes anything

    def along(t: Tensor) -> Tensor:
        return reward.values(video.detach() + t * gradient.sign(), [good.prompt])[0]

    return _relative_difference(along, torch.zeros((), requires_grad=True), 1e-3)


def _relative_difference(f: Callable[[Tensor], Tensor], theta: Tensor, h: float) -> float:
    (analytic,) = torch.autograd.grad(f(theta), theta)
    with torch.no_grad():
        numeric = (f(theta + h) - f(theta - h)) / (2 * h)
    return float((analytic - numeric).abs() / numeric.abs().clamp(min=1e-12))


def run_self_tests(
    policy: DiffusersPolicy,
    reward: Reward,
    prompts: Sequence[Prompt],
    window: range,
    good: Rollout,
    bad: Rollout,
    algorithm: Algorithm | None = None,
) -> dict[str, float]:
    """Run the checks that the algorithm (GRPO by default) rests on and return what they measured.

    ``good`` and ``bad`` are a clean and a violated rendering of the same scene. Raises `SelfTestError` for the first
    check that fails, ``ValueError`` when the algorithm cannot learn with this sampler or reward.
    """
    algorithm = algorithm or GRPO()
    algorithm.check(policy.sampler, reward)
    scores = [s.value for s in reward([good, bad])]
    if scores[0] is None or scores[1] is None:
        raise SelfTestError("the reward abstains on a rendered clip; look at the notes of its terms")
    measured: dict[str, float] = {}
    checks: dict[str, tuple[bool, str]] = {}

    def check(name: str, value: float, passed: bool, meaning: str) -> None:
        measured[name], checks[name] = value, (passed, meaning)

    if policy.sampler.eta > 0:  # whether or not this algorithm learns from drawn steps: the sampler is one for all
        rollouts = sample(policy, prompts, range(len(prompts)), window).rollouts
        z, ratio, density = z_rms(policy, rollouts), first_ratio_error(policy, rollouts), log_prob_error()
        check("z_rms", z, abs(z - 1) <= 0.02, "the sampler does not draw from the density it scores")
        check("first_ratio_error", ratio, ratio == 0, "replaying a step gives other numbers than sampling")
        check("log_prob_error", density, density < 1e-9, "the log-probability is not a normal density's")
    falls = all(a > b for a, b in pairwise(policy.sigmas))
    check("sigmas_fall", float(falls), falls, "the noise levels of the schedule do not fall at every step")
    error = gradient_error(algorithm, policy.sampler if algorithm.draws else None)
    check("gradient_error", error, error < 1e-5, "the loss's gradient is wrong")
    if algorithm.name == "reward_gradient":
        error = reward_gradient_error(cast(DifferentiableReward, reward), good)
        check("reward_gradient_error", error, error < 0.5, "the reward's gradient does not predict its change")
    margin = scores[0] - scores[1]
    check("reward_margin", margin, margin > 0, "the reward prefers a violated clip to the clean one")
    for name, (passed, meaning) in checks.items():
        if not passed:
            raise SelfTestError(f"self-test {name} = {measured[name]:.4g}: {meaning}")
    return measured


def as_rollout(prompt: Prompt, clip: Clip) -> Rollout:
    """A rendered clip as if it had been sampled, so that a reward can be asked about it."""
    return Rollout(prompt, clip, ())
