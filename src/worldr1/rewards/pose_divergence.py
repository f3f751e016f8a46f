"""Pose divergence term: every part of a rigid scene has seen the same camera move."""

from __future__ import annotations

import torch
from torch import Tensor

from worldr1.geometry.camera import lift, project, transform
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.motion_field import fit_motion, motion_field, thinning
from worldr1.rewards.term import TermResult, masked_mean
from worldr1.rewards.tracks import FAR_M

TAU = 0.8  # divergence, relative to the length of the flow, that brings the score to 1/e
_SIDE = 3  # regions per side
_LEAST_SHARE = 0.3  # of a region's pixels that must be followed
_LEAST_REGIONS = 3
_NOISE_PX, _NOISE_OF_DIAGONAL = 0.4, 0.001  # flow shorter than this (the larger one) cannot be told from none
_REASON = "fewer than three static regions can be followed, or the camera rests"


def _regions(height: int, width: int, like: Tensor) -> Tensor:
    """Membership ``[9, h·w]`` of the cells of a 3 x 3 grid."""
    y = torch.arange(height, device=like.device) * _SIDE // height
    x = torch.arange(width, device=like.device) * _SIDE // width
    cell = (y[:, None] * _SIDE + x).flatten()
    return torch.nn.functional.one_hot(cell, _SIDE**2).T.to(like)


def pose_divergence_term(evidence: Evidence) -> TermResult:
    """exp(−d/.8), d the divergence of the regions' camera motions, the mean of the worst third of steps.

    The camera's motion of a step is fitted to the flow of the whole picture and once more to that of each cell of a
    3 x 3 grid alone, with the depth of the step's first frame. A cell's divergence is how far its own motion moves
    its pixels, beyond the common one, relative to the length of the flow; the second worst cell of a step counts, as
    one may hold a mover.
    """
    b, f, h, w = evidence.depth_m.shape
    every = thinning(h, w)
    thin = (slice(None), slice(every // 2, None, every), slice(every // 2, None, every))
    K = evidence.K[:, None].expand(b, f - 1, 3, 3).flatten(0, 1)
    step = (torch.linalg.inv(evidence.c2w[:, 1:]) @ evidence.c2w[:, :-1]).flatten(0, 1)
    source = lift(evidence.depth_m[:, :-1].flatten(0, 1), K)[thin]
    moved = transform(step, source)
    flow = evidence.forward_px.flatten(0, 1)[thin]
    error = (flow - (project(moved, K) - project(source, K))).flatten(1, 2)
    good = (evidence.visible_flow() & ~evidence.dynamic[:, :-1]).flatten(0, 1)[thin]
    good = (good & (source[..., 2] < FAR_M) & (moved[..., 2] > 0.05)).flatten(1)
    field = motion_field(moved, K).flatten(1, 2)
    common = fit_motion(field, error, good.to(field))
    error = error - torch.einsum("npai,ni->npa", field, common)  # what the whole picture's motion leaves

    rows, columns = source.shape[1:3]
    member = _regions(rows, columns, field)
    enough = (good[:, None] * member).sum(-1) >= _LEAST_SHARE * member.sum(-1)
    divergence = []
    for cell in member:
        here = torch.nonzero(cell).flatten()
        own, local = good[:, here], field[:, here]
        apart = torch.einsum("npai,ni->npa", local, fit_motion(local, error[:, here], own.to(field))).norm(dim=-1)
        divergence.append(torch.where(own, apart, torch.nan).nanmedian(-1).values)
    length = masked_mean(flow.flatten(1, 2).norm(dim=-1), good, (-1,))
    least = max(_NOISE_PX, _NOISE_OF_DIAGONAL * (h**2 + w**2) ** 0.5)
    ratio = (torch.stack(divergence, -1) / length.clamp(min=least)[:, None]).where(enough, 0.0)
    second = ratio.topk(2, dim=-1).values[:, 1].view(b, f - 1)
    told = ((enough.sum(-1) >= _LEAST_REGIONS) & (length > least)).view(b, f - 1)
    third = max(1, (f - 1) // 3)
    worst = second.where(told, 0.0).topk(third, dim=1).values.mean(1)
    return TermResult(torch.exp(-worst / TAU), told.sum(1) >= third, _REASON)
