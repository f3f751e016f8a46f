"""Advantage weighted matching: flow matching on one's own samples, each weighted by its advantage."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from worldr1.train.algorithms.base import Algorithm, Loss, Part, Update, forward_noise
from worldr1.train.rollout import velocity


def matching(v: Tensor, target: Tensor) -> Tensor:
    """mean ‖v − (ε − x₀)‖² of each sample ``[n]``: the pretraining loss, in the place of −log p."""
    return (v - target).square().mean((1, 2))


def awm_loss(new: Tensor, old: Tensor, advantage: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """−E min(r·A, clip(r, 1±c)·A) with r = exp(old − new), both `matching` losses ``[n]``; and the ratios ``[n]``.

    At r = 1 its gradient is that of E A·‖v_θ − v*‖² (Xue et al. 2025, arXiv:2509.25050). The clip bounds
    how far a bad sample, whose matching loss has no upper end, can push.
    """
    ratio = torch.exp(old - new)
    surrogate = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    return -surrogate.mean(), ratio


@dataclass(frozen=True)
class AWM(Algorithm):
    """Policy gradient on the forward process; sampling follows the ODE."""

    name: str = field(default="awm", init=False)
    times: int = 4  # noise levels per update

    def parts(self, update: Update) -> list[Part]:
        policy, batch = update.policy, update.batch
        # the first evaluation precedes the first step of the optimiser: its weights are those that sampled
        old: dict[int, Tensor] = {}

        def part(step: int, noise: Tensor, x: Tensor) -> Loss:
            v_reference = update.reference_velocity(batch.prompts, x, step)
            v = velocity(policy, batch.prompts, x, step)
            new = matching(v, noise - batch.latents)
            loss, ratio = awm_loss(new, old.setdefault(step, new.detach()), update.advantage, update.clip)
            kl = (v - v_reference).square().mean()
            outside = float(((ratio - 1).abs() > update.clip).float().mean())
            watched = {"kl": float(kl.detach()), "clipped": outside, "ratio": float(ratio.detach().mean())}
            return Loss(loss + update.kl_weight * kl, watched)

        return [lambda a=drawn: part(*a) for drawn in forward_noise(update, self.times)]  # type: ignore[misc]
