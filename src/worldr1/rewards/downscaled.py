"""A reward that is shown large clips small, one after another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from worldr1.types import Clip, Prompt, Reward, Rollout, Score


class Downscaled:
    """A reward that is shown clips of at most ``short_side`` pixels on the short side.

    One clip a call: the evidence of a whole batch of 81 frames would take tens of gigabytes.
    """

    differentiable = False

    def __init__(self, reward: Reward, short_side: int) -> None:
        self.reward, self.short_side = reward, short_side

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        return [self.reward([shrink(s, self.short_side)])[0] for s in samples]


def shrink(sample: Rollout | Clip, short_side: int) -> Rollout | Clip:
    """The sample with a smaller video, and a prompt camera that fits it."""
    if isinstance(sample, Rollout):
        small = shrink_clip(sample.clip, short_side)
        return Rollout(_fit(sample.prompt, small.video), small, ())
    return shrink_clip(sample, short_side)


def shrink_clip(clip: Clip, short_side: int) -> Clip:
    """The clip at ``short_side`` pixels, or as it is where it has no more."""
    scale = short_side / min(clip.video.shape[-2:])
    if scale >= 1:
        return clip
    return Clip(torch.nn.functional.interpolate(clip.video, scale_factor=scale, mode="area"), clip.fps)


def _fit(prompt: Prompt, video: Tensor) -> Prompt:
    """A prompt whose camera's intrinsics are for pixels of ``video``; its principal point is the picture's centre."""
    if prompt.camera is None:
        return prompt
    height, width = video.shape[-2:]
    K = prompt.camera.K
    scale = torch.stack([width / 2 / K[:, 0, 2], height / 2 / K[:, 1, 2], torch.ones(len(K))], 1).to(K)
    camera = type(prompt.camera)(prompt.camera.c2w, K * scale[:, :, None])
    return Prompt(prompt.text, camera, prompt.family, prompt.seed, prompt.facts)
