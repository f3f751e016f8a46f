"""Depth term: what one frame says is solid, no other frame may see through."""

from __future__ import annotations

import torch

from worldr1.geometry.camera import inside, lift, project, sample, transform
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult, masked_mean

TAU = 0.05  # mean log-depth error that brings the score to 1/e
_NEAR_M = 8.0  # the scene; depth beyond it is too coarse to compare
_LEAST_PIXELS = 50


def frame_pairs(num_frames: int) -> list[tuple[int, int]]:
    """Ordered pairs, both directions, at gaps of 3, half the clip and the whole clip."""
    gaps = sorted({min(3, num_frames - 1), num_frames // 2, num_frames - 1})
    forward = [(i, i + g) for g in gaps for i in range(0, num_frames - g, max(1, g // 2))]
    return forward + [(j, i) for i, j in forward]


def depth_term(evidence: Evidence) -> TermResult:
    """exp(−mean e / τ) with e = max(0, log D_j(π) − log z_{i→j}): lift by D_i, move by the camera, look in frame j.

    Only a surface *behind* the remembered one contradicts it, one in front may be an honest occluder; the other
    direction of the pair covers that case. True depth changes under a camera push are not punished, unlike in
    the article's own reward. Pixels that move by themselves are left out. Not asked for under a fixed camera (`spec`):
    without a change of viewpoint agreeing depth is no evidence.
    """
    height, width = evidence.video.shape[-2:]
    # the nearest surface within a pixel: sub-pixel misalignment at an edge must not look like a hole
    nearest = -torch.nn.functional.max_pool2d(-evidence.depth_m, 3, stride=1, padding=1)
    errors, counts = [], []
    for i, j in frame_pairs(evidence.video.shape[1]):
        points = transform(evidence.between(i, j), lift(evidence.depth_m[:, i], evidence.K))
        landing = project(points, evidence.K)
        found = sample(nearest[:, j, None], landing)[:, 0]
        moving = sample(evidence.dynamic[:, j, None].to(evidence.depth_m), landing)[:, 0] > 0
        seen = inside(landing, height, width) & (points[..., 2] > 0.2) & ~moving & ~evidence.dynamic[:, i]
        seen &= evidence.depth_m[:, i] < _NEAR_M
        error = (found.log() - points[..., 2].clamp(min=0.2).log()).clamp(0, 1)
        errors.append(masked_mean(error, seen, (1, 2)))
        counts.append(seen.sum((1, 2)))
    enough = torch.stack(counts) >= _LEAST_PIXELS
    mean = masked_mean(torch.stack(errors), enough, (0,))
    reason = "no part of the scene is seen from two viewpoints"
    return TermResult(torch.exp(-mean / TAU), enough.any(0), reason)
