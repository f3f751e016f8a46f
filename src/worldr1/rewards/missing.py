"""Objects that are gone although one looks where they stood."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from worldr1.geometry.camera import inside, project, sample, transform
from worldr1.rewards.evidence import Evidence

_LEAST_PIXELS, _LEAST_SHARE = 16, 0.001  # of an object, where it is seen best, the larger one
_SAME, _BEHIND = 0.9, 1.1  # of the distance: nearer hides, farther is behind
_OPEN_SHARE, _OPEN_FRAMES = 0.5, 2  # of its points, and of the frames after it was last seen, that are in the open
_RING = 5  # pixels around an object that must be where they were, or the camera is not known well enough


def missing_objects(evidence: Evidence, clip: int) -> int:
    """How many of a clip's segments are no longer seen, although in two later frames their place is in the picture and
    what is seen there lies behind it, while what surrounded them is in its place.

    0 without segments, or where the prompt does not say that everything rests.
    """
    if evidence.segments is None or not bool(evidence.at_rest()[clip]):
        return 0
    ids, world = evidence.segments[clip], evidence.world_points()[clip]
    return sum(_missing(evidence, clip, ids == k, world) for k in ids.unique().tolist() if k > 0)


def _missing(evidence: Evidence, clip: int, mine: Tensor, world: Tensor) -> bool:
    count = mine.sum((1, 2))
    best = int(count.argmax())
    after = range(int(torch.nonzero(count).amax()) + 1, len(count))
    if int(count[best]) < max(_LEAST_PIXELS, _LEAST_SHARE * mine[0].numel()) or len(after) < _OPEN_FRAMES:
        return False
    grown = max_pool2d(mine[best][None, None].float(), 2 * _RING + 1, 1, _RING)[0, 0] > 0
    own, around = world[best][mine[best]], world[best][grown & ~mine[best]]
    open_frames = 0
    for t in after:
        behind = _ratio(evidence, clip, t, own) > _BEHIND
        ring = _ratio(evidence, clip, t, around)
        held = (ring > _SAME) & (ring < _BEHIND)
        open_frames += bool(behind.float().mean() >= _OPEN_SHARE and held.float().mean() >= _OPEN_SHARE)
    return open_frames >= _OPEN_FRAMES


def _ratio(evidence: Evidence, clip: int, frame: int, points: Tensor) -> Tensor:
    """Depth that ``frame`` sees where ``points`` ``[n, 3]`` of the world are, over theirs: ``[n]``; 0 out of sight."""
    h, w = evidence.depth_m.shape[2:]
    local = transform(torch.linalg.inv(evidence.c2w[clip, frame]), points[:, None])
    pixels, z = project(local, evidence.K[clip]), local[:, 0, 2]
    found = sample(evidence.depth_m[clip, frame, None, None], pixels[None])[0, 0, :, 0]
    seen = inside(pixels, h, w)[:, 0] & (z > 0.05)
    return torch.where(seen, found / z.clamp(min=0.05), 0.0)
