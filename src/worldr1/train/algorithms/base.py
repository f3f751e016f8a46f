"""What an algorithm is: which latents to keep while sampling, and how rollouts and advantages become a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.policies.sde import SamplerConfig
from worldr1.train.advantage import TermWeight, advantages
from worldr1.train.rollout import Batch, velocity
from worldr1.types import Prompt, Reward, Score


@dataclass(frozen=True)
class Scored:
    """An iteration's samples in prompt-major order, scored: what advantages are made of."""

    scores: Sequence[Score]
    group: int
    weights: Mapping[str, TermWeight]
    pressure: Mapping[str, float]  # share of a guard's weight in force
    features: Callable[[], Tensor]  # [n, width] a description of each sample's prompt, for learned baselines


@dataclass(frozen=True)
class Update:
    """What one update is made of. The batch holds only the samples whose advantage is not zero."""

    policy: DiffusersPolicy
    reward: Reward
    batch: Batch
    advantage: Tensor  # [n]
    clip: float
    kl_weight: float
    generator: torch.Generator  # for noise that the update draws: the same in a resumed run
    first: int = 0  # place of the batch's first sample among those of all processes
    total: int | None = None  # samples of all processes; None where there is one

    def reference_velocity(self, prompts: Sequence[Prompt], x: Tensor, step: int) -> Tensor:
        """The base model's velocity, without gradients."""
        with self.policy.reference(), torch.no_grad():
            return velocity(self.policy, prompts, x, step)


@dataclass(frozen=True)
class Loss:
    """A part of the loss: parts are averaged, each with its own backward pass so that one fits into memory."""

    value: Tensor  # scalar
    watched: dict[str, float] = field(default_factory=dict)


Part = Callable[[], Loss]


@dataclass(frozen=True)
class Algorithm(ABC):
    """Options of an algorithm; the class says how it learns."""

    name: str = field(default="", init=False)  # a field, so that it is written down with the options
    draws: ClassVar[bool] = False  # whether it needs steps that were drawn, and their densities

    def check(self, sampler: SamplerConfig, reward: Reward) -> None:  # noqa: B027 (most work with everything)
        """Raise ``ValueError`` when it cannot learn with this sampler or reward."""

    def keep(self, sampler: SamplerConfig) -> Collection[int]:
        """Steps whose latent is kept while sampling."""
        del sampler
        return ()

    def advantage(self, scored: Scored, state: dict[str, Any]) -> Tensor:
        """Advantages ``[n]``; ``state`` is the algorithm's own, saved and restored with the run."""
        del state
        return advantages(scored.scores, scored.group, scored.weights, scored.pressure)

    @abstractmethod
    def parts(self, update: Update) -> list[Part]:
        """The loss in parts, each evaluated anew under the present weights at every update."""


def forward_noise(update: Update, count: int) -> list[tuple[int, Tensor, Tensor]]:
    """``count`` different steps of the schedule, with noise and clean latents noised to each: (step, noise, x_σ).

    For algorithms on the forward process, whose training times need not be the sampler's.
    """
    steps = torch.randperm(update.policy.sampler.steps, generator=update.generator)[:count].tolist()
    x0, out = update.batch.latents, []
    own = slice(update.first, update.first + len(x0))
    total = len(x0) if update.total is None else update.total
    for i in steps:
        sigma = update.policy.sigmas[i]
        noise = torch.randn((total, *x0.shape[1:]), generator=update.generator)[own]
        out.append((i, noise, (1 - sigma) * x0 + sigma * noise))
    return out
