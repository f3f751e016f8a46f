"""Clips that keep the truth of what they *show*, also after their picture was edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from worldr1.geometry.camera import pixel_grid, sample
from worldr1.types import Clip, GroundTruth
from worldr1.worlds.render import WarpRenderer, to_clips
from worldr1.worlds.scene import Scene

_INVERSION_STEPS = 6


@dataclass(frozen=True)
class Shown:
    """A clip, and the flow back that its `GroundTruth` lacks. Flow and depth are NaN where there is no truth."""

    clip: Clip
    backward_px: Tensor  # [frames - 1, h, w, 2] from each frame but the first to the one before it

    @property
    def truth(self) -> GroundTruth:
        assert self.clip.truth is not None, "a bench clip always carries its truth"
        return self.clip.truth

    def with_video(self, video: Tensor) -> Shown:
        """Other colours ``[frames, 3, h, w]`` on the same geometry."""
        return replace(self, clip=replace(self.clip, video=video.clamp(0, 1)))

    def with_truth(
        self, video: Tensor, depth_m: Tensor, instance_ids: Tensor, forward_px: Tensor, backward_px: Tensor
    ) -> Shown:
        """Another picture with another geometry; the camera that was asked for stays."""
        truth = replace(self.truth, depth_m=depth_m, instance_ids=instance_ids, flow_px=forward_px)
        return Shown(replace(self.clip, video=video.clamp(0, 1), truth=truth), backward_px)


def render(scenes: Sequence[Scene], height: int, width: int, renderer: WarpRenderer | None = None) -> list[Shown]:
    """Render scenes of one length; raises ``ValueError`` as the renderer does."""
    out = (renderer or WarpRenderer())(scenes, height, width)
    backward = torch.from_numpy(out.backward_flow_px)
    return [Shown(clip, backward[i, 1:]) for i, clip in enumerate(to_clips(scenes, out))]


def reorder(shown: Shown, order: Sequence[int]) -> Shown:
    """The frames of ``order``, each a frame held, the next or the one before; other steps have no known flow."""
    truth = shown.truth
    index = torch.tensor(order)
    still = torch.zeros_like(truth.flow_px[0])

    def flow(i: int, j: int) -> Tensor:
        if i == j:
            return still
        if j == i + 1:
            return truth.flow_px[i]
        if j == i - 1:
            return shown.backward_px[j]
        return torch.full_like(still, torch.nan)

    steps = list(pairwise(order))
    return shown.with_truth(
        shown.clip.video[index],
        truth.depth_m[index],
        truth.instance_ids[index],
        torch.stack([flow(i, j) for i, j in steps]),
        torch.stack([flow(j, i) for i, j in steps]),
    )


def warp(shown: Shown, shift_px: Tensor) -> Shown:
    """Each pixel takes the colour that is ``shift_px`` ``[frames, h, w, 2]`` away from it, and so does its depth.

    The flow of the result is that of the pictures: back to the source, along its flow, into the next warped frame.
    The last needs the inverse of the shift, found by fixed-point iteration: shifts have to be smooth.
    """
    video, truth = shown.clip.video, shown.truth
    height, width = video.shape[-2:]
    grid = pixel_grid(height, width, video)
    source = grid + shift_px
    # nearest: between two surfaces there is none
    cells = source.floor().long()
    x, y = cells[..., 0].clamp(0, width - 1), cells[..., 1].clamp(0, height - 1)
    frame = torch.arange(len(video))[:, None, None]
    depth, ids = truth.depth_m[frame, y, x], truth.instance_ids[frame, y, x]

    def flow(known: Tensor, start: Tensor, there: Tensor, shift: Tensor) -> Tensor:
        steps = torch.arange(len(known))[:, None, None]
        landing = there + known[steps, start[..., 1], start[..., 0]]
        place = landing.clone()
        for _ in range(_INVERSION_STEPS):
            place = landing - sample(shift.permute(0, 3, 1, 2), place).permute(0, 2, 3, 1)
        return place - grid

    cell = torch.stack([x, y], dim=-1)
    forward = flow(truth.flow_px, cell[:-1], source[:-1], shift_px[1:])
    backward = flow(shown.backward_px, cell[1:], source[1:], shift_px[:-1])
    return shown.with_truth(sample(video, source), depth, ids, forward, backward)
