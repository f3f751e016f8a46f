"""Volume term: an object stays as large as it was while the camera looks at it from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult

TAU = 0.35  # change of log volume, beyond what honest views show, that brings the score to 1/e
SLACK = 0.25  # of log volume: a box shows its side or its diagonal, and depth edges are soft
_LEAST_PIXELS, _LEAST_SHARE = 16, 0.004  # of an object in a frame, the larger one
_LEAST_FRAMES = 3
_ANGLE_DEG = 6.0  # change of the viewing angle at which two views count fully
_LEAST_ANGLE_DEG = 2.0  # the largest change of an object's viewing angle below which it is no evidence
_TAILS = (0.05, 0.95)  # quantiles that bound an object: points at its edge lie on what is behind
_TRAVEL = 0.5  # of its size: an object that goes farther moves by itself, and may turn as it likes
_IN_FRONT = 0.95  # of the near side's distance
_MIXED = 1  # pixels of a picture of 128 that may be a mixture of two surfaces
_REASON = "no whole object is seen from different sides"


@dataclass(frozen=True)
class Extents:
    """One object over the frames in which all of it is seen."""

    log_volume: Tensor  # [k] of the cube of its extent, m³
    direction: Tensor  # [k, 3] unit, from the object to the camera
    frames: list[int]


def extents(evidence: Evidence, clip: int, points: Tensor, instance: int) -> Extents | None:
    """Size over time of an object with ``points`` ``[f, h, w, 3]`` in the world; ``None`` with too few frames or
    if it travels."""
    assert evidence.segments is not None
    ids = evidence.segments[clip]
    mine = ids == instance
    least = max(_LEAST_PIXELS, _LEAST_SHARE * mine[0].numel())
    volumes, directions, centres, frames = [], [], [], []
    for t in torch.nonzero(mine.sum((-1, -2)) >= least).flatten().tolist():
        if not in_full(evidence.depth_m[clip, t], mine[t]) or covered(evidence.depth_m[clip, t], ids[t], instance):
            continue
        own = points[t][mine[t]]
        own = own[evidence.depth_m[clip, t][mine[t]] < 1.5 * evidence.depth_m[clip, t][mine[t]].median()]
        volumes.append(log_volume(own))
        centres.append(own.median(0).values)
        line = evidence.c2w[clip, t, :3, 3] - centres[-1]
        directions.append(torch.nn.functional.normalize(line, dim=0))
        frames.append(t)
    if len(frames) < _LEAST_FRAMES:
        return None
    volume, centre = torch.stack(volumes), torch.stack(centres)
    travelled, size = (centre - centre[0]).norm(dim=-1).amax(), (volume.median() / 3).exp()
    if bool(travelled > _TRAVEL * size):
        return None
    return Extents(volume, torch.stack(directions), frames)


def log_volume(points: Tensor) -> Tensor:
    """Logarithm of the volume in m³ of the cube of an object's extent, from points ``[n, 3]`` of its visible side; 0-d.

    The extent is the geometric mean of the vertical one and the largest horizontal one, both between quantiles:
    neither depends on which way the object faces, as far as one side can tell.
    """
    tails = torch.tensor(_TAILS, dtype=points.dtype, device=points.device)
    low, high = points[:, 1].quantile(tails)
    flat = (points - points.mean(0))[:, [0, 2]]
    axis = torch.linalg.eigh(flat.T @ flat).eigenvectors[:, -1]
    left, right = (flat @ axis).quantile(tails)
    volume: Tensor = 1.5 * ((high - low).clamp(min=1e-3).log() + (right - left).clamp(min=1e-3).log())
    return volume


def in_full(depth_m: Tensor, mine: Tensor) -> bool:
    """Whether all of an object ``mine`` ``[h, w]`` is in sight: it does not touch the picture's border, and nothing
    nearer touches more than a twenty-fifth of its outline."""
    if bool(mine[0].any() | mine[-1].any() | mine[:, 0].any() | mine[:, -1].any()):
        return False
    rim = max_pool2d(mine[None, None].to(depth_m), 3, 1, 1)[0, 0].bool() & ~mine
    edge = depth_m[mine].quantile(0.1)
    return bool((depth_m[rim] < 0.92 * edge).float().mean() <= 0.04)


def covered(depth_m: Tensor, ids: Tensor, instance: int) -> bool:
    """Whether a nearer object, of ``ids`` ``[h, w]``, touches this one anywhere: it may hide any part of it, as a vase
    does the stand of a lamp, along little of its outline. What it stands on is hardly nearer than its near side."""
    mine = ids == instance
    rim = max_pool2d(mine[None, None].to(depth_m), 3, 1, 1)[0, 0].bool() & ~mine
    touching = rim & (ids > 0) & (depth_m < _IN_FRONT * depth_m[mine].quantile(0.1))
    return int(touching.sum()) > _MIXED * max(1.0, min(mine.shape) / 128)


def change(size: Extents) -> Tensor | None:
    """Mean absolute difference of log volume over pairs of views, by how far the viewing angle moved; 0-d.

    ``None`` where it hardly moved: without a new view a constant size is no evidence.
    """
    cosine = (size.direction @ size.direction.T).clamp(-1, 1)
    itself = torch.eye(len(cosine), dtype=torch.bool, device=cosine.device)
    angle = torch.rad2deg(torch.arccos(cosine.where(~itself, 1.0)))
    if float(angle.max()) < _LEAST_ANGLE_DEG:
        return None
    weight = (angle / _ANGLE_DEG).clamp(max=1)
    difference = (size.log_volume[:, None] - size.log_volume).abs()
    return (weight * difference).sum() / weight.sum()


def volume_term(evidence: Evidence) -> TermResult:
    """exp(−max(0, c − .25)/.35), c the `change` of the object that changes most.

    Objects are the evidence's segments; frames in which an object is cut off or partly covered are left out, and so are
    objects that move by themselves: they may turn, and one side says little about another.
    """
    b = len(evidence.video)
    values, told = evidence.video.new_ones(b), torch.zeros(b, dtype=torch.bool, device=evidence.video.device)
    if evidence.segments is None:
        return TermResult(values, told, "there are no segments; give the reward a segment estimator")
    world = evidence.world_points()
    for i in range(b):
        found = [extents(evidence, i, world[i], k) for k in evidence.segments[i].unique().tolist() if k > 0]
        changes = [c for size in found if size is not None and (c := change(size)) is not None]
        if changes:
            told[i] = True
            values[i] = torch.exp(-(torch.stack(changes).amax() - SLACK).clamp(min=0) / TAU)
    return TermResult(values, told, _REASON)
