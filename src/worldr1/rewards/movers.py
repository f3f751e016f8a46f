"""What moves by itself: where the flow leads elsewhere than the camera does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from worldr1.geometry.camera import inside, pixel_grid
from worldr1.rewards.tracks import FAR_M, expected, followed

if TYPE_CHECKING:  # evidence is made with these
    from worldr1.rewards.evidence import Evidence

MAX_DYNAMIC_SHARE = 0.2  # of a frame that may be called moving; more than that is a morph trying to hide
_MOST_ASTRAY = 0.4  # of a frame in which movers are looked for among what camera and depth get wrong


def moving_at_once(forward: Tensor, ego: Tensor) -> Tensor:
    """Pixels ``[b, f, h, w]`` that a step of the flow, ``[b, f-1, h, w, 2]``, leads elsewhere than the camera, grown by
    one; none in frames where that is more than may be called moving."""
    moving = _astray(forward, ego) > 1
    moving = moving & (moving.float().mean((-1, -2), keepdim=True) <= MAX_DYNAMIC_SHARE)
    return max_pool2d(moving.float(), 3, stride=1, padding=1) > 0


def moving_by_itself(evidence: Evidence) -> Tensor:
    """Pixels ``[b, f, h, w]`` that move by themselves within a step or within a third of the clip, ahead or, near the
    end, back, grown by one; none where the prompt says that nothing does.

    Of frames that have more of them than may be called moving, the fifth that is farthest astray, as camera and depth
    are wrong around a large mover; none of frames that are mostly astray.
    """
    f, h, w = evidence.depth_m.shape[1:]
    at_rest = evidence.at_rest()
    if bool(at_rest.all()):
        return torch.zeros_like(evidence.depth_m, dtype=torch.bool)
    gap, slow = max(1, f // 3), []
    for t in range(f):
        ahead = gap if t + gap < f else -min(gap, t)
        landing, trusted = followed(evidence, t, ahead)
        resting, _ = expected(evidence, t, t + ahead)
        slow.append(_over(landing - resting, resting - pixel_grid(h, w, resting)).where(trusted, 0.0))
    astray = torch.maximum(torch.stack(slow, 1), _astray(evidence.forward_px, evidence.ego_px))
    # a plain sky cannot be followed, and what the camera leaves behind is not found again: both only seem astray
    stays = inside(pixel_grid(h, w, evidence.ego_px) + evidence.ego_px, h, w)
    judged = torch.cat([stays, stays[:, -1:]], dim=1) & ((evidence.depth_m < FAR_M) | evidence.near_texture)
    # flow along an edge mixes two surfaces': what is a pixel or two wide is no mover
    wide = -max_pool2d(-astray.where(judged, 0.0), 3, stride=1, padding=1)
    astray = max_pool2d(wide, 5, stride=1, padding=2)
    farthest = astray.flatten(2).quantile(1 - MAX_DYNAMIC_SHARE, dim=2)[..., None, None]
    some = (astray > 1).float().mean((-1, -2), keepdim=True) <= _MOST_ASTRAY
    return (astray > 1) & (astray >= farthest) & some & ~at_rest[:, None, None, None]


def _over(error: Tensor, length: Tensor) -> Tensor:
    """Length of ``error`` over what is forgiven, a pixel and a quarter of that of ``length``."""
    ratio: Tensor = error.norm(dim=-1) / (1.0 + 0.25 * length.norm(dim=-1))
    return ratio


def _astray(forward: Tensor, ego: Tensor) -> Tensor:
    """`_over` of steps, ``[b, f, h, w]``: the last frame has none of its own, and takes the one before."""
    share = _over(forward - ego, ego)
    return torch.cat([share, share[:, -1:]], dim=1)
