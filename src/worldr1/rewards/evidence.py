"""What the terms look at, computed once per batch: depth, flow both ways, the camera recovered from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from worldr1.estimators.structure import CameraEstimator, Structure
from worldr1.geometry.camera import inside, lift, pixel_grid, sample, transform
from worldr1.rewards.edges import FAINT, near_texture
from worldr1.rewards.looks import adjusted, camera_path, ego_flow
from worldr1.rewards.movers import moving_at_once, moving_by_itself
from worldr1.rewards.tracks import FAR_M, followed, spread_starts
from worldr1.types import Prompt

_SPOT_M = 1e-3  # a prompt whose camera stays within this turns on the spot

DepthEstimator = Callable[[Tensor], Tensor]
FlowEstimator = Callable[[Tensor, Tensor], Tensor]  # `gather_evidence` says what else it may be
# (video [f, 3, h, w], world points [f, h, w, 3], flow to the next frame, flow back, what moves by itself [f, h, w])
# of one clip -> ids [f, h, w] that hold over the clip, 0 where there is no object
SegmentEstimator = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Evidence:
    """Measurements of a batch of clips. Shapes: ``b`` clips, ``f`` frames of ``h`` x ``w`` pixels."""

    video: Tensor  # [b, f, 3, h, w] in [0, 1]
    depth_m: Tensor  # [b, f, h, w]
    forward_px: Tensor  # [b, f-1, h, w, 2] flow to the next frame
    backward_px: Tensor  # [b, f-1, h, w, 2] flow from the next frame back
    K: Tensor  # [b, 3, 3] pixels
    c2w: Tensor  # [b, f, 4, 4] recovered camera; the first frame's is the identity
    ego_px: Tensor  # [b, f-1, h, w, 2] flow to the next frame that the camera alone explains
    ego_back_px: Tensor  # [b, f-1, h, w, 2] and from the next frame back
    dynamic: Tensor  # [b, f, h, w] bool: moves by itself
    prompts: Sequence[Prompt | None]
    segments: Tensor | None = None  # [b, f, h, w] int: 0 no object, other ids hold over a clip
    metric: bool = True  # whether depth is in metres; else each clip has a scale of its own
    structures: Sequence[Structure] | None = None  # of each clip, where structure from motion is asked for

    def select(self, which: Tensor) -> Evidence:
        """The evidence of the clips that ``which``, bool ``[b]``, picks."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}  # without what is cached
        parts: dict[str, Any] = {k: v[which] for k, v in own.items() if isinstance(v, Tensor)}
        chosen = which.nonzero().flatten().tolist()
        parts["prompts"] = tuple(self.prompts[i] for i in chosen)
        if self.structures is not None:
            parts["structures"] = tuple(self.structures[i] for i in chosen)
        return replace(self, **parts)

    @cached_property
    def near_texture(self) -> Tensor:
        """Pixels ``[b, f, h, w]`` whose motion can be told."""
        return near_texture(self.video)

    @cached_property
    def textured_shares(self) -> tuple[Tensor, Tensor]:
        """How much of the scene, what is closer than 15 m, is near texture, and near faint texture: ``[b]`` each.

        Only the first quarter is looked at: a clip must not escape by losing its texture on the way.
        """
        early = max(1, self.video.shape[1] // 4)
        scene = (self.depth_m[:, :early] < FAR_M).float()
        faint = near_texture(self.video[:, :early], FAINT)
        strong, any_ = (
            (near * scene).sum((1, 2, 3)) / scene.sum((1, 2, 3)).clamp(min=1)
            for near in (self.near_texture[:, :early], faint)
        )
        return strong, any_

    @cached_property
    def thirds(self) -> tuple[tuple[int, int, Tensor, Tensor], ...]:
        """Five stretches of a third of the clip, at least a step: their first and last frames, and what is `followed`
        from one to the other."""
        f = self.video.shape[1]
        gap = max(1, f // 3)
        return tuple((t, t + gap, *followed(self, t, gap)) for t in spread_starts(f, gap, 5))

    def world_points(self) -> Tensor:
        """Every pixel's point ``[b, f, h, w, 3]`` in the first frame's camera axes."""
        b, f = self.depth_m.shape[:2]
        points = lift(self.depth_m, self.K[:, None].expand(b, f, 3, 3))
        return transform(self.c2w, points)

    def visible_flow(self) -> Tensor:
        """Pixels ``[b, f-1, h, w]`` whose flow forward and back returns within one pixel."""
        forward, backward = self.forward_px.flatten(0, 1), self.backward_px.flatten(0, 1)
        height, width = forward.shape[1:3]
        landing = pixel_grid(height, width, forward) + forward
        back = sample(backward.permute(0, 3, 1, 2), landing).permute(0, 2, 3, 1)
        seen: Tensor = inside(landing, height, width) & ((forward + back).norm(dim=-1) < 1.0)
        return seen.view(self.forward_px.shape[:-1])

    def still_camera(self) -> Tensor:
        """Which prompts ``[b]`` ask for a camera that does not move."""
        still = [p is not None and p.facts.get("camera") == "fixed" for p in self.prompts]
        return torch.tensor(still, device=self.video.device)

    def on_the_spot(self) -> Tensor:
        """Which prompts ``[b]`` ask for a camera that only turns, or not even that, by their facts or their path."""
        asked = [None if p is None else p.camera for p in self.prompts]
        far = [None if c is None else (c.c2w[:, :3, 3] - c.c2w[:1, :3, 3]).norm(dim=-1).max() for c in asked]
        spot = [m is not None and float(m) < _SPOT_M for m in far]
        stays = [p is not None and p.facts.get("travels") is False for p in self.prompts]
        return self.still_camera() | torch.tensor([stays, spot], device=self.video.device).any(0)

    def at_rest(self) -> Tensor:
        """Which prompts ``[b]`` say what moves by itself, and that it is nothing."""
        rest = [p is not None and p.facts.get("movers") == [] for p in self.prompts]
        return torch.tensor(rest, device=self.video.device)

    def between(self, i: int, j: int) -> Tensor:
        """Transforms from camera ``i`` to camera ``j``: ``[b, 4, 4]``."""
        pose: Tensor = torch.linalg.inv(self.c2w[:, j]) @ self.c2w[:, i]
        return pose


def gather_evidence(
    video: Tensor,
    K: Tensor,
    prompts: Sequence[Prompt | None],
    depth: DepthEstimator,
    flow: FlowEstimator,
    segments: SegmentEstimator | None = None,
    *,
    refine_camera: bool = False,
    camera: CameraEstimator | None = None,
) -> Evidence:
    """Measure clips ``[b, f, 3, h, w]`` with intrinsics ``[b, 3, 3]``.

    A depth estimator with a true attribute ``clipwise`` looks at all frames of a clip together and is called once
    per clip; one whose attribute ``metric`` is false answers up to a scale per clip. A flow estimator with a method
    ``both_ways`` is given the videos and answers ``[2, b, f-1, h, w, 2]``, ahead and back.

    ``refine_camera`` improves the camera's steps until points land where the flow leads, which the error of the second
    frame's depth then no longer spoils, then depth and camera of all frames together (`bundle.adjust`). With an
    estimator that has ``both_ways`` it does so twice, the second time by flow found around what the first led to, which
    is that method's second argument. Terms are shown the first flow, which owes nothing to the camera that it is held
    against. What moves by itself is also looked for over a third of the clip, where slow movers show, and not at all
    where the prompt lets nothing move. ``camera`` looks for the camera of each clip a second time, from neither depth
    nor flow.

    Raises ``ValueError`` for fewer than two frames or values that are not finite.
    """
    b, f, _, h, w = video.shape
    if f < 2:
        raise ValueError("a clip needs at least two frames to be checked")
    if not torch.isfinite(video).all():
        raise ValueError("the video contains values that are not finite")
    if getattr(depth, "clipwise", False):
        depth_m = torch.stack([depth(clip) for clip in video])
    else:
        depth_m = depth(video.flatten(0, 1)).view(b, f, h, w)
    if hasattr(flow, "both_ways"):
        both = flow.both_ways(video)
    else:
        now, following = video[:, :-1].flatten(0, 1), video[:, 1:].flatten(0, 1)
        both = flow(torch.cat([now, following]), torch.cat([following, now])).view(2, b, f - 1, h, w, 2)
    if refine_camera:
        depth_m, poses = _looked_again(video, depth_m, both, K, flow)
    else:
        poses = camera_path(depth_m, both, K)
    ego = ego_flow(depth_m, poses, K)
    dynamic, metric = moving_at_once(both[0], ego[0]), bool(getattr(depth, "metric", True))
    evidence = Evidence(
        video, depth_m, both[0], both[1], K, poses, ego[0], ego[1], dynamic, tuple(prompts), metric=metric
    )
    if refine_camera:
        evidence = replace(evidence, dynamic=moving_by_itself(evidence))
    if camera is not None:
        evidence = replace(evidence, structures=tuple(camera(*clip) for clip in zip(video, K, strict=True)))
    if segments is None:
        return evidence
    parts = zip(video, evidence.world_points(), both[0], both[1], evidence.dynamic, strict=True)
    return replace(evidence, segments=torch.stack([segments(*clip) for clip in parts]))


def _looked_again(
    video: Tensor, depth_m: Tensor, both: Tensor, K: Tensor, flow: FlowEstimator
) -> tuple[Tensor, Tensor]:
    """Depth and camera `adjusted` to flow ``[2, b, f-1, h, w, 2]``, then, where the estimator takes a guess, to what it
    finds around theirs."""
    found = adjusted(depth_m, both, K)
    if not hasattr(flow, "both_ways"):
        return found
    return adjusted(depth_m, flow.both_ways(video, ego_flow(*found, K)), K)
