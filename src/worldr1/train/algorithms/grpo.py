"""GRPO on the drawn steps of a flow-matching sampler."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from worldr1.policies.sde import SamplerConfig, noise_gain
from worldr1.train.algorithms.base import Algorithm, Loss, Part, Update
from worldr1.train.rollout import replay
from worldr1.types import Reward


@dataclass(frozen=True)
class GRPOLoss:
    """The loss of one drawn step and what is watched about it."""

    loss: Tensor  # scalar
    ratio: Tensor  # [n]
    clipped: float  # share of samples whose ratio left the clip range
    kl: Tensor  # scalar


def grpo_loss(
    log_ratio: Tensor,
    advantage: Tensor,
    v: Tensor,
    v_reference: Tensor,
    *,
    clip: float,
    kl_weight: float,
    weight: float = 1.0,
) -> GRPOLoss:
    """−w·E min(r·A, clip(r, 1±c)·A) + β·mean ‖v_θ − v_ref‖², r = exp(log_ratio).

    ``log_ratio``, ``advantage`` ``[n]``, velocities ``[n, tokens, channels]``. Shao et al. 2024
    (arXiv:2402.03300), on denoising steps as in Flow-GRPO (Liu et al. 2025, arXiv:2505.05470). For Gaussian
    steps the KL divergence to the base is proportional to the squared difference of the velocities.
    """
    ratio = torch.exp(log_ratio)
    surrogate = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    kl = (v - v_reference).square().mean()
    outside = ((ratio - 1).abs() > clip).float().mean()
    return GRPOLoss(-weight * surrogate.mean() + kl_weight * kl, ratio, float(outside), kl)


def guarded_log_ratio(new: Tensor, old: Tensor, mean: Tensor, old_mean: Tensor, std: float) -> Tensor:
    """s√Δ·[log r + ‖μ_θ − μ_old‖²/(2s²Δ)] ``[n]``, s√Δ the step's ``std``: the ratio normalisation of GRPO-Guard.

    log r alone is biased below zero by the second term, and its spread grows as the step's noise shrinks, so one
    clip range suits no two steps. What remains is linear in the shift of the mean. Wang et al. 2025
    (arXiv:2510.22319), here with means over elements, as `log_prob` is.
    """
    shift = (mean - old_mean).square().mean((1, 2)) / (2 * std**2)
    return std * (new - old + shift)


def step_weights(sampler: SamplerConfig, sigmas: list[float]) -> list[float]:
    """Weights that give every step that may be drawn the same say: 1 / `noise_gain`, their mean 1.

    For Flow-SDE 1/(√Δ/s + s√Δ(1−σ)/2σ): the gradient rectification that goes with iso-temporal groups, those whose
    samples share their drawn steps, as here. Flash-GRPO, He et al. 2026 (arXiv:2605.15980).
    """
    raw = [1 / noise_gain(sampler, sigmas[i], sigmas[i + 1]) for i in range(sampler.window_end)]
    return [w * len(raw) / sum(raw) for w in raw]


@dataclass(frozen=True)
class GRPO(Algorithm):
    """Group-relative policy optimisation; the window of drawn steps and their rule are the sampler's settings.

    A window of all steps is Flow-GRPO, a short one within an ODE MixGRPO (Li et al. 2025, arXiv:2507.21802).
    """

    name: str = field(default="grpo", init=False)
    draws: ClassVar[bool] = True
    guard: bool = False  # GRPO-Guard's ratio; wants a clip of its own
    weights: Literal["uniform", "iso-temporal"] = "uniform"  # of the steps in the window

    def check(self, sampler: SamplerConfig, reward: Reward) -> None:
        del reward
        if sampler.eta == 0:
            raise ValueError(
                f"{self.name} learns from drawn steps, and with eta 0 the sampler follows the ODE; "
                "set eta to about 0.8, or use nft or awm, which learn from ODE samples"
            )
        if sampler.rule == "cps" and sampler.window_end == sampler.steps:
            raise ValueError(
                "the last step of the cps rule has no noise to draw; "
                f"set window_end to {sampler.steps - 1} or less, or the rule to flow-sde"
            )

    def parts(self, update: Update) -> list[Part]:
        policy, rollouts = update.policy, update.batch.rollouts
        steps = [s.index for s in rollouts[0].steps]
        weights = [1.0] * policy.sampler.window_end
        if self.weights == "iso-temporal":
            weights = step_weights(policy.sampler, policy.sigmas)

        def part(k: int) -> Loss:
            before = torch.stack([r.steps[k].before for r in rollouts])
            v_reference = update.reference_velocity(update.batch.prompts, before, steps[k])
            v, mean, new = replay(policy, rollouts, k)
            old = torch.tensor([r.steps[k].log_prob for r in rollouts])
            log_ratio = new - old
            if self.guard:
                old_mean = torch.stack([r.steps[k].mean for r in rollouts])
                log_ratio = guarded_log_ratio(new, old, mean, old_mean, rollouts[0].steps[k].std)
            result = grpo_loss(
                log_ratio,
                update.advantage,
                v,
                v_reference,
                clip=update.clip,
                kl_weight=update.kl_weight,
                weight=weights[steps[k]],
            )
            ratio = float(result.ratio.detach().mean())
            return Loss(result.loss, {"kl": float(result.kl.detach()), "clipped": result.clipped, "ratio": ratio})

        return [lambda k=k: part(k) for k in range(len(steps))]  # type: ignore[misc]
