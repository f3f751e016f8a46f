"""Objects that are gone although one looks where they stood."""

from __future__ import annotations

import torch
from torch import Tensor

from worldr1.geometry.camera import inside, project, sample, transform
from worldr1.rewards.evidence import Evidence

_LEAST_PIXELS = 16  # of an object, where it is seen best
_BEHIND = 1.1  # of its distance: what is farther is behind the place
_OPEN_SHARE, _OPEN_FRAMES = 0.5, 2  # of its points, and of the frames after it was last seen, that are in the open


def missing_objects(evidence: Evidence, clip: int) -> int:
    """How many of a clip's segments are seen and later, although their place is in the picture with nothing before it,
    not any more; 0 without segments, or where the prompt does not say that everything rests."""
    if evidence.segments is None or not bool(evidence.at_rest()[clip]):
        return 0
    ids, world = evidence.segments[clip], evidence.world_points()[clip]
    return sum(_missing(evidence, clip, ids == k, world) for k in ids.unique().tolist() if k > 0)


def _missing(evidence: Evidence, clip: int, mine: Tensor, world: Tensor) -> bool:
    count = mine.sum((1, 2))
    best = int(count.argmax())
    after = range(int(torch.nonzero(count).amax()) + 1, len(count))
    if int(count[best]) < _LEAST_PIXELS or len(after) < _OPEN_FRAMES:
        return False
    h, w = mine.shape[1:]
    points, open_frames = world[best][mine[best]], 0
    for t in after:
        local = transform(torch.linalg.inv(evidence.c2w[clip, t]), points[:, None])
        pixels, z = project(local, evidence.K[clip]), local[:, 0, 2]
        behind = sample(evidence.depth_m[clip, t, None, None], pixels[None])[0, 0, :, 0]
        in_open = inside(pixels, h, w)[:, 0] & (z > 0.05) & (behind > _BEHIND * z)
        open_frames += bool(in_open.float().mean() >= _OPEN_SHARE)
    return open_frames >= _OPEN_FRAMES
