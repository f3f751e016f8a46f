"""Novelty guard: a camera that is asked to go somewhere must not show the same picture from there."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from worldr1.geometry.rigid import rotation_angle_deg
from worldr1.rewards.edges import corners, gradient, reduced
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult
from worldr1.types import CameraPath

# least of `edges.gradient`, and of `edges.corners`: grain is among the faint edges, and hides those that stay
_STRONG, _FAINT = (0.03, 2e-4), (0.014, 5e-5)
_SAME = 0.5  # change of a gradient, relative to it, below which it is the same edge
_OLD, _NEW = 0.42, 0.28  # shares of edges that stayed in place: of a frozen or repeated picture; of a camera that moves
_FEWEST = 40  # edge pixels; of a bare picture a few that stay prove nothing
_FAR = 0.5  # of the largest change of view that the prompt asks for
_WORST_SHARE = 0.25  # of the pairs of frames that are that far apart
_LEAST_PX = 3.0  # that a change of view must move the picture, or edges seem to stay
_REASON = "the prompt names no camera path of this length, or one that hardly moves the picture"


def _views_apart(camera: CameraPath, distance_m: Tensor) -> Tensor:
    """About how many radians pictures of a scene at this distance differ by, between any two frames: ``[f, f]``."""
    c2w = camera.relative().to(distance_m)
    turn = rotation_angle_deg(c2w[:, None, :3, :3].mT @ c2w[None, :, :3, :3]) * (math.pi / 180)
    place = c2w[:, :3, 3]
    apart: Tensor = turn + (place[:, None] - place[None]).norm(dim=-1) / distance_m
    return apart


def _stayed(edges: Tensor, first: Tensor, second: Tensor, least: tuple[float, float]) -> Tensor:
    """Share ``[n]`` of the edges of pairs of frames (gradients ``[f, h, w, 2]``) that are the same in both, where edges
    of two directions meet."""
    a, b, corner = edges[first], edges[second], corners(edges, least[1])
    strength = torch.maximum(a.norm(dim=-1), b.norm(dim=-1))
    edge = (strength > least[0]) & (corner[first] | corner[second])
    same = edge & ((a - b).norm(dim=-1) < _SAME * strength)
    share: Tensor = same.float().sum((1, 2)) / edge.float().sum((1, 2)).clamp(min=_FEWEST)
    return share


def novelty_guard(evidence: Evidence) -> TermResult:
    """1 where at most 28 % of the picture's edges stay in place, falling to 0 at 42 %, over frames that are asked to be
    seen from elsewhere.

    Pairs of frames count whose views by the prompt's own camera differ at least half as much as any two of the path;
    the quarter in which most stayed decides, of strong edges or of faint ones, at the picture's own size or reduced to
    64 pixels. A held picture, a loop and a background that stands still behind moving objects repeat themselves there,
    whatever flow and depth make of them. Abstains without a prompt's camera.
    """
    b, f = evidence.video.shape[:2]
    # at its own size and reduced: small things stay in the one, in the other grain does not hide that they do
    small = reduced(evidence.video)
    pictures = [evidence.video] if small.shape == evidence.video.shape else [evidence.video, small]
    scales = [gradient(v) for v in pictures]
    distance = evidence.depth_m.flatten(1).median(1).values
    values, told = torch.ones_like(distance), torch.zeros(b, dtype=torch.bool, device=distance.device)
    for i, prompt in enumerate(evidence.prompts):
        if prompt is None or prompt.camera is None or len(prompt.camera.c2w) != f:
            continue
        apart = _views_apart(prompt.camera, distance[i])
        if float(_FAR * apart.max() * evidence.K[i, 0, 0]) < _LEAST_PX:
            continue
        first, second = torch.nonzero((apart >= _FAR * apart.max()).triu(1)).T
        shares = [_stayed(edges[i], first, second, least) for edges in scales for least in (_STRONG, _FAINT)]
        stayed = torch.stack(shares).amax(0)
        worst = stayed.topk(max(1, round(_WORST_SHARE * len(stayed)))).values.mean()
        values[i], told[i] = ((_OLD - worst) / (_OLD - _NEW)).clamp(0, 1), True
    return TermResult(values, told, _REASON)
