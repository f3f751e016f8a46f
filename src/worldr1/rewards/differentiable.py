"""The part of the reward that has gradients by the video, for algorithms that backpropagate it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from worldr1.estimators.depth import TransformersDepth
from worldr1.rewards.composite import WorldReward
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.spec import SPECS, differentiable, evaluate
from worldr1.types import Clip, Prompt, Rollout, Score


class DifferentiableWorldReward:
    """A `WorldReward` that can also be differentiated, through its terms that pass gradients (`TermSpec`).

    Flow, the camera recovered from it and which pixels move are measured and then held. Scores are the whole reward's.
    ``values`` is the mean of the differentiable terms that apply, in [0, 1]: a mean and not a product, so that one term
    near 0 does not silence the gradients of the others.
    """

    differentiable = True

    def __init__(self, reward: WorldReward) -> None:
        """Raises ``ValueError`` where the reward has no differentiable term, another kind of depth estimator, or scores
        other depth than the network's own."""
        if not isinstance(reward.depth, TransformersDepth):
            raise ValueError("only a transformers depth model passes gradients; give the reward a TransformersDepth")
        if reward.refine_camera or reward.both_hands:
            raise ValueError(
                "the gradient is of depth as the network gives it, for one clip and not its mirror image; "
                "give a WorldReward without refine_camera and both_hands"
            )
        self.terms = {name: reward.terms[name] for name in differentiable(reward.terms)}
        if not self.terms:
            some = ", ".join(differentiable(SPECS))
            raise ValueError(f"none of the reward's terms is differentiable; use some of {some}")
        self.reward, self.network = reward, reward.depth
        self.network.model.requires_grad_(False)

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        return self.reward(samples)

    def values(self, video: Tensor, prompts: Sequence[Prompt]) -> Tensor:
        """Rewards ``[n]`` of videos ``[n, frames, 3, h, w]`` in [0, 1]; NaN where no term applies."""
        return self.values_given(self.measure(video, prompts), video)

    def measure(self, video: Tensor, prompts: Sequence[Prompt]) -> Evidence:
        """What is held while the reward is differentiated."""
        held = self.reward.evidence([Rollout(p, Clip(v), ()) for p, v in zip(prompts, video.detach(), strict=True)])
        # what inference mode has made cannot take part in a backward pass
        parts: dict[str, Any] = {k: v.clone() if isinstance(v, Tensor) else v for k, v in vars(held).items()}
        return replace(held, **parts)

    def values_given(self, held: Evidence, video: Tensor) -> Tensor:
        """`values` with flow, camera and moving pixels from ``held``: what the gradient is of."""
        evidence = replace(held, video=video, depth_m=self.depth(video))
        results = [evaluate(name, term, evidence) for name, term in self.terms.items()]
        told = torch.stack([r.applicable for r in results])
        values = torch.stack([r.values for r in results])
        mean = values.where(told, 0.0).sum(0) / told.sum(0).clamp(min=1)
        return mean.where(told.any(0), torch.nan)

    def depth(self, video: Tensor) -> Tensor:
        """Of clips ``[n, f, 3, h, w]``, with gradients: ``[n, f, h, w]``."""
        if self.network.clipwise:
            return torch.stack([self.network.with_gradients(clip) for clip in video])
        depth_m: Tensor = self.network.with_gradients(video.flatten(0, 1)).unflatten(0, video.shape[:2])
        return depth_m
