"""Where pixels are some frames later: as the flow leads, step by step, and as depth and camera say at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from worldr1.geometry.camera import inside, lift, pixel_grid, project, sample, transform

if TYPE_CHECKING:  # evidence is made with these
    from worldr1.rewards.evidence import Evidence

FAR_M = 15.0  # of metric depth; beyond it depth says nothing about motion
_SAME_SURFACE = 0.1  # of log depth


def followed(evidence: Evidence, start: int, gap: int) -> tuple[Tensor, Tensor]:
    """Landings ``[b, h, w, 2]`` in pixels of ``gap`` frames of flow, back where negative, and which of them can be
    trusted ``[b, h, w]``: every step of theirs stays in the picture and returns within a pixel."""
    b, _, h, w = evidence.depth_m.shape
    landing = pixel_grid(h, w, evidence.depth_m).expand(b, h, w, 2)
    trusted = torch.ones(b, h, w, dtype=torch.bool, device=landing.device)
    ahead, behind = evidence.forward_px.permute(0, 1, 4, 2, 3), evidence.backward_px.permute(0, 1, 4, 2, 3)
    if gap < 0:
        ahead, behind = behind, ahead
    for t in range(start, start + gap) if gap > 0 else range(start - 1, start + gap - 1, -1):
        there = landing + sample(ahead[:, t], landing).permute(0, 2, 3, 1)
        back = sample(behind[:, t], there).permute(0, 2, 3, 1)
        trusted = trusted & inside(there, h, w) & ((there + back - landing).norm(dim=-1) < 1.0)
        landing = there
    return landing, trusted


def expected(evidence: Evidence, start: int, end: int) -> tuple[Tensor, Tensor]:
    """Landings ``[b, h, w, 2]`` in frame ``end`` of what rests in ``start``, and its depth ``[b, h, w]`` there."""
    points = transform(evidence.between(start, end), lift(evidence.depth_m[:, start], evidence.K))
    return project(points, evidence.K), points[..., 2]


def same_surface(found_m: Tensor, landing: Tensor, depth: Tensor) -> Tensor:
    """Where ``[n, h, w]`` frames of depth ``found_m`` ``[n, h, w]`` have, at landings ``[n, h, w, 2]``, a surface at
    about the depth ``[n, h, w]`` that is expected there."""
    found = sample(found_m[:, None], landing)[:, 0]
    same = (found.log() - depth.clamp(min=0.05).log()).abs() < _SAME_SURFACE
    return same & inside(landing, *depth.shape[1:]) & (depth > 0.05)


def spread_starts(num_frames: int, gap: int, count: int) -> list[int]:
    """At most ``count`` first frames of stretches of ``gap`` frames, spread evenly over a clip."""
    return sorted({round(k * (num_frames - 1 - gap) / max(1, count - 1)) for k in range(count)})
