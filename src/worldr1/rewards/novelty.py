"""Novelty guard: a camera that is asked to go somewhere must not show the same picture from there."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from worldr1.geometry.camera import lift, pixel_grid, project, sample, transform
from worldr1.geometry.rigid import rotation_angle_deg
from worldr1.rewards.edges import gradient, reduced
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult
from worldr1.types import CameraPath

_WINDOW = 5  # pixels a side of a patch
_PATCHES = 32  # a side of the picture, about
# least mean square of a patch's `edges.gradient`: grain is among what is faint, and hides that the rest stays
_STRONG, _FAINT = 0.03**2, 0.01**2
_ALIKE = 0.9  # correlation of the gradients of a patch that stays, however light and contrast change
_OTHER = 0.5  # correlation below which another patch is told apart
# of its way, as depth is estimated: from where a patch would have come, and where it would go
_WAYS = (-1.4, -1.0, -0.7, 0.7, 1.0, 1.4)
_TWO_WAYS = 0.1  # smaller over larger eigenvalue of the structure tensor
_MAY_STAY, _HELD = 0.035, 0.045  # shares of patches: of a camera that moves; of a frozen or repeated picture
_FEWEST = 60  # patches; of a bare picture a few that stay prove nothing
_PAIRS = 64  # of frames; of long clips they are spread evenly
_FAR = 0.5  # of the largest change of view that the prompt asks for
_GONE_PX = 1e4  # behind the camera
_NO_DEPTH = "the depth contains values that are not finite"
_CLEAR, _LEAST_SHARE = 1 / 32, 0.25  # of the picture's shorter side, that it must move a good part of the picture by
# why it does not apply; short clips have few pairs, and answer by these
UNASKED = "the prompt names no camera path of this length that moves the picture much"


def _views_apart(camera: CameraPath, distance_m: Tensor) -> Tensor:
    """About how many radians pictures of a scene at this distance differ by, between any two frames: ``[f, f]``."""
    c2w = camera.relative().to(distance_m)
    turn = rotation_angle_deg(c2w[:, None, :3, :3].mT @ c2w[None, :, :3, :3]) * (math.pi / 180)
    place = c2w[:, :3, 3]
    apart: Tensor = turn + (place[:, None] - place[None]).norm(dim=-1) / distance_m
    return apart


def _moves(camera: CameraPath, depth_m: Tensor, K: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """How the asked camera moves pixels ``[n, h, w, 2]`` of first frames until the second ones, by depth
    ``[f, h, w]``: hills stay where they are under a camera that travels."""
    c2w = camera.relative().to(depth_m)
    K = K.expand(len(first), 3, 3)
    points = transform(torch.linalg.inv(c2w[second]) @ c2w[first], lift(depth_m[first], K))
    h, w = depth_m.shape[1:]
    moves: Tensor = project(points, K) - pixel_grid(h, w, depth_m)
    return moves.where(points[..., 2:] > 0, _GONE_PX)


def _patches(values: Tensor) -> Tensor:
    """Means over patches of ``[n, h, w]``: ``[n, rows, columns]``."""
    return avg_pool2d(values[:, None], _WINDOW, max(1, min(values.shape[1:]) // _PATCHES))[:, 0]


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """Of the gradients ``[n, h, w, 2]`` of patches: ``[n, rows, columns]``."""
    squares = _patches((a * a).sum(-1)) * _patches((b * b).sum(-1))
    return _patches((a * b).sum(-1)) / squares.clamp(min=1e-12).sqrt()


def _stay(edges: Tensor, first: Tensor, second: Tensor, moves: Tensor) -> Tensor:
    """Share of the patches that go by ``moves`` ``[n, h, w, 2]`` between frames with gradients ``[f, h, w, 2]``, and
    are still there: mean over the pairs, of strong patches or of faint ones, the larger.

    Patches count that have gradients in two directions (Shi & Tomasi 1994), and look different from what there is one
    move away: what hardly moves, a straight edge that slides along itself, as a horizon does under a pan, ripples that
    run along the way and boards that move by their period look the same.
    """
    h, w = edges.shape[1:3]
    now, image = edges[first], edges[first].permute(0, 3, 1, 2)
    stays = _correlation(now, edges[second]) > _ALIKE
    counted = torch.ones_like(stays)
    for way in _WAYS:  # outside of the picture there are no gradients, and nothing is alike
        there = sample(image, pixel_grid(h, w, edges) + way * moves).permute(0, 2, 3, 1)
        counted &= _correlation(there, now) < _OTHER
    x, y = edges.unbind(-1)
    xx, yy, xy = _patches(x * x), _patches(y * y), _patches(x * y)
    energy, spread = xx + yy, ((xx - yy) ** 2 / 4 + xy**2).sqrt()
    two_ways, shares = energy / 2 - spread > _TWO_WAYS * (energy / 2 + spread), []
    for least in (_STRONG, _FAINT):
        told = two_ways & (energy > least)
        here = counted & (told[first] | told[second])
        shares.append(((stays & here).float().sum((1, 2)) / here.float().sum((1, 2)).clamp(min=_FEWEST)).mean())
    return torch.stack(shares).amax()


def novelty_guard(evidence: Evidence) -> TermResult:
    """1 where at most 3.5 % of what the asked camera must move stays in place, falling to 0 at 4.5 %.

    That is of patches, by the correlation of their gradients, at the picture's own size or reduced to 64 pixels; mean
    over pairs of frames whose views by the prompt's own camera differ at least half as much as any two of the path. A
    background that stands still is seen between what moves in front of it, and a held picture or a loop repeats
    itself, whatever flow and depth make of them. So does what is honestly fixed to the camera, a timestamp or a
    bonnet: such a clip gets 0 too. A background that slides, and heavy grain on one, are not seen here.

    Does not apply without a prompt's camera, and where that hardly moves the picture.
    """
    b, f = evidence.video.shape[:2]
    # at its own size and reduced: small things stay in the one, in the other grain does not hide that they do
    small = reduced(evidence.video)
    pictures = [evidence.video] if small.shape == evidence.video.shape else [evidence.video, small]
    scales = [gradient(v) for v in pictures]
    distance = evidence.depth_m.flatten(1).median(1).values
    values, told = torch.ones_like(distance), torch.zeros(b, dtype=torch.bool, device=distance.device)
    reasons = [UNASKED] * b
    for i, prompt in enumerate(evidence.prompts):
        if prompt is None or prompt.camera is None or len(prompt.camera.c2w) != f:
            continue
        if not bool(evidence.depth_m[i].isfinite().all()):
            reasons[i] = _NO_DEPTH  # asked, and cannot tell
            continue
        apart = _views_apart(prompt.camera, distance[i])
        first, second = torch.nonzero((apart >= _FAR * apart.max()).triu(1)).T
        every = max(1, math.ceil(len(first) / _PAIRS))
        first, second = first[::every], second[::every]
        moves = _moves(prompt.camera, evidence.depth_m[i], evidence.K[i], first, second)
        if not (moves.norm(dim=-1) > _CLEAR * min(moves.shape[1:3])).float().mean() >= _LEAST_SHARE:
            continue
        stay = []
        for edges in scales:
            size = edges.shape[2:4]
            here = interpolate(moves.permute(0, 3, 1, 2), size, mode="nearest").permute(0, 2, 3, 1)
            stay.append(_stay(edges[i], first, second, here * (size[1] / moves.shape[2])))
        values[i], told[i] = ((_HELD - torch.stack(stay).amax()) / (_HELD - _MAY_STAY)).clamp(0, 1), True
    return TermResult(values, told, tuple(reasons))
