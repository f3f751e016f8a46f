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


def moving_at_once(forward: Tensor, ego: Tensor) -> Tensor:
    """Pixels ``[b, f, h, w]`` that a step of the flow, ``[b, f-1, h, w, 2]``, leads elsewhere than the camera, grown by
    one; none in frames where that is more than may be called moving."""
    moving = _astray(forward, ego) > 1
    return _grown(moving & (moving.float().mean((-1, -2), keepdim=True) <= MAX_DYNAMIC_SHARE))


def movers(evidence: Evidence) -> Tensor:
    """Pixels ``[b, f, h, w]`` that move by themselves within a step or within a third of the clip, ahead or, near the
    end, back, grown by one; none where the prompt says that nothing does.

    In frames that have more of them than may be called moving, those that are farthest astray: what camera and depth
    get wrong around a large mover must not make the mover a broken world.
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
    # flow followed along an edge mixes two surfaces: what is a pixel wide is no mover
    wide = -max_pool2d(-torch.stack(slow, 1), 3, stride=1, padding=1)
    whole = max_pool2d(wide, 3, stride=1, padding=1)
    astray = torch.maximum(whole, _astray(evidence.forward_px, evidence.ego_px))
    # sky has nothing to follow, and what leaves the picture is not found in the next frame: both only seem astray
    stays = inside(pixel_grid(h, w, evidence.forward_px) + evidence.forward_px, h, w)
    judged = torch.cat([stays, stays[:, -1:]], dim=1) & (evidence.depth_m < FAR_M)
    astray = astray.where(judged, 0.0)
    most = astray.flatten(2).quantile(1 - MAX_DYNAMIC_SHARE, dim=2)[..., None, None]
    return _grown(astray > most.clamp(min=1.0)) & ~at_rest[:, None, None, None]


def _over(error: Tensor, length: Tensor) -> Tensor:
    """Length of ``error`` over what is forgiven, a pixel and a quarter of that of ``length``."""
    ratio: Tensor = error.norm(dim=-1) / (1.0 + 0.25 * length.norm(dim=-1))
    return ratio


def _astray(forward: Tensor, ego: Tensor) -> Tensor:
    """`_over` of steps, ``[b, f, h, w]``: the last frame has none of its own, and takes the one before."""
    share = _over(forward - ego, ego)
    return torch.cat([share, share[:, -1:]], dim=1)


def _grown(moving: Tensor) -> Tensor:
    return max_pool2d(moving.float(), 3, stride=1, padding=1) > 0
