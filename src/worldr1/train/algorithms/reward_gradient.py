"""Reward gradient: backpropagate the reward through the decoder and the last denoising steps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from worldr1.policies.sde import SamplerConfig
from worldr1.train.algorithms.base import Algorithm, Loss, Part, Scored, Update
from worldr1.train.rollout import decode_with_gradients, velocity
from worldr1.types import Clip, Prompt, Reward, Rollout, Score


class DifferentiableReward(Protocol):
    """A reward with gradients by the video."""

    differentiable: bool

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]: ...

    def values(self, video: Tensor, prompts: Sequence[Prompt]) -> Tensor:
        """Rewards ``[n]`` of videos ``[n, frames, 3, h, w]`` in [0, 1], differentiable; NaN where none applies."""


def reward_gradient_loss(values: Tensor) -> Tensor:
    """−mean of the rewards ``[n]`` that are told (not NaN); a zero that keeps the graph where none is.

    DRaFT (Clark et al. 2023, arXiv:2309.17400), VADER for video (Prabhudesai et al. 2024, arXiv:2407.08737).
    """
    told = ~values.isnan()
    # the NaN's own gradient is NaN even when it is masked afterwards, hence where before the sum
    return -torch.where(told, values, values.nan_to_num(0.0).detach()).sum() / told.sum().clamp(min=1)


@dataclass(frozen=True)
class RewardGradient(Algorithm):
    """DRaFT-K: the last ``last`` steps of the ODE are repeated with gradients, the steps before are not."""

    name: str = field(default="reward_gradient", init=False)
    last: int = 1  # K
    chunk: int = 16  # samples decoded at once: the decoder's activations are what memory is needed for

    def check(self, sampler: SamplerConfig, reward: Reward) -> None:
        if not reward.differentiable:
            raise ValueError(
                "reward_gradient needs a reward with gradients, and this one is not differentiable; "
                "wrap it in rewards.differentiable.DifferentiableWorldReward, or use grpo, nft or awm"
            )
        if not 0 < self.last <= sampler.steps:
            raise ValueError(f"reward_gradient has last = {self.last}; use 1 to {sampler.steps}, the sampler's steps")

    def keep(self, sampler: SamplerConfig) -> Collection[int]:
        return (sampler.steps - self.last,)

    def advantage(self, scored: Scored, state: dict[str, Any]) -> Tensor:
        """1 for every sample that has a score: each is climbed by itself, not against its group."""
        del state
        return torch.tensor([float(s.value is not None) for s in scored.scores])

    def parts(self, update: Update) -> list[Part]:
        policy, reward = update.policy, cast(DifferentiableReward, update.reward)
        first = policy.sampler.steps - self.last

        def part(indices: list[int]) -> Loss:
            batch = update.batch.select(indices)
            x, kl = batch.kept[first], torch.zeros(())
            for i in range(first, policy.sampler.steps):
                v = velocity(policy, batch.prompts, x, i)
                kl = kl + (v - update.reference_velocity(batch.prompts, x.detach(), i)).square().mean() / self.last
                x = x + (policy.sigmas[i + 1] - policy.sigmas[i]) * v
            values = reward.values(decode_with_gradients(policy, x), batch.prompts)
            share = len(indices) * len(chunks) / len(update.advantage)  # parts are averaged, whatever their size
            loss = share * (reward_gradient_loss(values) + update.kl_weight * kl)
            return Loss(loss, {"kl": share * float(kl.detach())})

        chunks = [c.tolist() for c in torch.arange(len(update.advantage)).split(self.chunk)]
        return [lambda c=c: part(c) for c in chunks]  # type: ignore[misc]
