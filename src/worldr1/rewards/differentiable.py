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
from worldr1.types import Clip, Prompt, Rollout, Score

# what the picture and the depth network pass gradients through. Flow, the camera recovered from it and which pixels
# move are measured and then held; parallax, camera and motion depend on those alone
TERMS = ("depth", "flow", "constancy", "sharpness")


class DifferentiableWorldReward:
    """A `WorldReward` that can also be differentiated, through the terms in `TERMS` that it has.

    Scores are the whole reward's. ``values`` is the mean of the differentiable terms that apply, in [0, 1]: a mean
    and not a product, so that one term near 0 does not silence the gradients of the others.
    """

    differentiable = True

    def __init__(self, reward: WorldReward) -> None:
        """Raises ``ValueError`` where the reward has no differentiable term or another kind of depth estimator."""
        if not isinstance(reward.depth, TransformersDepth):
            raise ValueError("only a transformers depth model passes gradients; give the reward a TransformersDepth")
        self.terms = {name: term for name, term in reward.terms.items() if name in TERMS}
        if not self.terms:
            raise ValueError(f"none of the reward's terms is differentiable; use some of {', '.join(TERMS)}")
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
        results = [term(evidence) for term in self.terms.values()]
        told = torch.stack([r.applicable for r in results])
        values = torch.stack([r.values for r in results])
        mean = values.where(told, 0.0).sum(0) / told.sum(0).clamp(min=1)
        return mean.where(told.any(0), torch.nan)

    def depth(self, video: Tensor) -> Tensor:
        """As `TransformersDepth` for each clip ``[n, f, 3, h, w]``, in float32 and with gradients: ``[n, f, h, w]``."""
        raw = self.network.answer(self.network.normalise(video.flatten(0, 1)))
        raw = torch.nn.functional.interpolate(raw[:, None], video.shape[-2:], mode="bilinear")[:, 0]
        clips = raw.unflatten(0, video.shape[:2])
        return torch.stack([self.network.to_metres(clip) for clip in clips])
