"""Pairs of frames, one carried to the other by depth and camera, as many at once as memory allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from worldr1.geometry.camera import inside, lift, project, sample, transform
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.tracks import same_surface

_AT_ONCE = 2**20  # pixels of all clips and pairs: more is no faster on a CPU, and fills a GPU of any size


def frame_pairs(num_frames: int) -> list[tuple[int, int]]:
    """Ordered pairs, both directions, at gaps of 3, half the clip and the whole clip."""
    gaps = sorted({min(3, num_frames - 1), num_frames // 2, num_frames - 1})
    forward = [(i, i + g) for g in gaps for i in range(0, num_frames - g, max(1, g // 2))]
    return forward + [(j, i) for i, j in forward]


def far_pairs(num_frames: int) -> list[tuple[int, int]]:
    """Those of `frame_pairs` half a clip and a whole clip apart."""
    return [(i, j) for i, j in frame_pairs(num_frames) if abs(i - j) >= num_frames // 2]


@dataclass(frozen=True)
class Carried:
    """Frames carried to others; ``n`` is the number of clips times that of pairs."""

    evidence: Evidence
    pairs: Sequence[tuple[int, int]]

    def at_source(self, values: Tensor) -> Tensor:
        """What belongs to the source ``[n, ...]`` of what every frame has, ``[b, f, ...]``."""
        return values[:, [i for i, _ in self.pairs]].flatten(0, 1)

    def at_target(self, values: Tensor) -> Tensor:
        """What belongs to the target ``[n, ...]`` of what every frame has, ``[b, f, ...]``."""
        return values[:, [j for _, j in self.pairs]].flatten(0, 1)

    @cached_property
    def source(self) -> Tensor:
        """The frames ``[n, 3, h, w]``."""
        return self.at_source(self.evidence.video)

    @cached_property
    def target(self) -> Tensor:
        """What they are carried to, ``[n, 3, h, w]``."""
        return self.at_target(self.evidence.video)

    @cached_property
    def source_m(self) -> Tensor:
        """Depth ``[n, h, w]``."""
        return self.at_source(self.evidence.depth_m)

    @cached_property
    def target_m(self) -> Tensor:
        """Depth ``[n, h, w]``."""
        return self.at_target(self.evidence.depth_m)

    @cached_property
    def _points(self) -> tuple[Tensor, Tensor]:
        K = self.evidence.K.repeat_interleave(len(self.pairs), 0)
        pose = torch.linalg.inv(self.at_target(self.evidence.c2w)) @ self.at_source(self.evidence.c2w)
        points = transform(pose, lift(self.source_m, K))
        return project(points, K), points[..., 2]

    @property
    def landing(self) -> Tensor:
        """Pixels ``[n, h, w, 2]`` of the target at which the source's are expected."""
        return self._points[0]

    @property
    def expected_m(self) -> Tensor:
        """Their depth ``[n, h, w]`` there."""
        return self._points[1]

    @property
    def inside(self) -> Tensor:
        """Which pixels ``[n, h, w]`` land in the picture."""
        return inside(self.landing, *self.source_m.shape[-2:])

    @property
    def moves(self) -> Tensor:
        """Which pixels ``[n, h, w]`` move by themselves, or land where something does."""
        there = sample(self.at_target(self.evidence.dynamic)[:, None].to(self.landing), self.landing)[:, 0] > 0
        return there | self.at_source(self.evidence.dynamic)

    @property
    def same_surface(self) -> Tensor:
        """Where ``[n, h, w]`` the target has a surface at about the depth that is expected there."""
        return same_surface(self.target_m, self.landing, self.expected_m)


def over_pairs(
    evidence: Evidence, pairs: Sequence[tuple[int, int]], measure: Callable[[Carried], tuple[Tensor, ...]]
) -> tuple[Tensor, ...]:
    """What ``measure`` says of each pair, ``[n]`` tensors of `Carried` ones, as tensors ``[b, pairs]``."""
    b, _, h, w = evidence.depth_m.shape
    share = max(1, _AT_ONCE // (b * h * w))
    some = [pairs[k : k + share] for k in range(0, len(pairs), share)]
    parts = [[found.view(b, len(p)) for found in measure(Carried(evidence, p))] for p in some]
    return tuple(torch.cat(found, dim=1) for found in zip(*parts, strict=True))
