"""Objects that go out of sight and come back, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from worldr1.geometry.camera import inside, project, sample, transform
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.volume import covered, log_volume

_LEAST_PIXELS = 16
_MOSTLY_SEEN = 0.8  # of the most pixels that it has before, or after
_MOST_CUT = 0.1  # of its outline that may lie at the picture's border or against something nearer
_NEARER = 0.93  # of the object's distance: what is nearer covers it
_CROP = 32  # pixels a side of the picture of an object


@dataclass(frozen=True)
class Returned:
    """An object before it went out of sight and after it came back; 0 where place and shape cannot be compared."""

    colour: Tensor  # mean absolute difference of its mean colour, 0-d
    position: Tensor  # distance from where its way would have led, over its size plus half the way, 0-d
    shape: Tensor  # absolute difference of log volume, 0-d
    before: Tensor  # [3, 32, 32] its picture on grey
    after: Tensor


def distance_to_path(place: Tensor, path: Tensor) -> Tensor:
    """Distances ``[b, n-1]`` of ``place`` ``[b, 3]`` from the straight pieces of ``path`` ``[b, n, 3]``."""
    start, along = path[:, :-1], path.diff(dim=1)
    share = ((place[:, None] - start) * along).sum(-1) / (along**2).sum(-1).clamp(min=1e-12)
    distance: Tensor = (start + share.clamp(0, 1)[..., None] * along - place[:, None]).norm(dim=-1)
    return distance


def returned_objects(evidence: Evidence, clip: int, least_hidden: int, new_view: float) -> list[Returned]:
    """The clip's objects that were in sight, for ``least_hidden`` frames not at all, and in sight again.

    Left out are those that the camera then sees from within ``new_view`` of the distance of an earlier view of it. Of
    those never seen whole before, or after, the place is not compared, and the size only where a part exceeds a whole.
    """
    if evidence.segments is None:
        return []
    world = evidence.world_points()[clip]
    found = []
    for instance in evidence.segments[clip].unique().tolist():
        if instance > 0:
            back = _returned(evidence, clip, world, instance, least_hidden, new_view)
            found += [] if back is None else [back]
    return found


def _gap(count: Tensor, least_hidden: int) -> tuple[int, int] | None:
    """Last frame before and first after the first long enough stretch of frames without a pixel (``[f]``)."""
    shown = torch.nonzero(count > 0).flatten().tolist()
    for a, b in pairwise(shown):
        if b - a - 1 >= least_hidden:
            return a, b
    return None


def _returned(
    evidence: Evidence, clip: int, world: Tensor, instance: int, least_hidden: int, new_view: float
) -> Returned | None:
    assert evidence.segments is not None
    ids, depth_m = evidence.segments[clip], evidence.depth_m[clip]
    mine = ids == instance
    count = mine.sum((1, 2))
    gap = _gap(count, least_hidden)
    if gap is None:
        return None
    sides = (range(gap[0] + 1), range(gap[1], len(count)))
    seen = [[t for t in s if count[t] >= max(_LEAST_PIXELS, _MOSTLY_SEEN * int(count[s].amax()))] for s in sides]
    if not seen[0] or not seen[1]:
        return None
    cut = _cut_share(mine, depth_m) > _MOST_CUT
    whole = [[t for t in s if not cut[t] and not covered(depth_m[t], ids[t], instance)] for s in seen]
    known = bool(whole[0] and whole[1])
    before, after = (whole[0] or seen[0])[-4:], (whole[1] or seen[1])[:4]
    points = {t: world[t][mine[t]] for t in torch.nonzero(count > 0).flatten().tolist()}
    place = {t: p.median(0).values for t, p in points.items()}
    paced = before if len(before) > 1 else after
    pace = (place[paced[-1]] - place[paced[0]]) / max(1, paced[-1] - paced[0])
    way = pace * (after[0] - before[-1])
    eye = evidence.c2w[clip, :, :3, 3]
    if not _out_of_sight(evidence, clip, gap, place[gap[0]], place[gap[1]], least_hidden):
        return None
    # how the camera stood to it until a frame after it was lost
    views = [eye[t] - place[t] for t in place if t <= gap[0]] + [eye[gap[0] + 1] - place[gap[0]] - pace]
    now = eye[after[0]] - place[after[0]]
    if float(distance_to_path(now[None], torch.stack(views)[None]).amin()) < new_view * float(now.norm()):
        return None
    sizes = [torch.stack([log_volume(points[t]) for t in ts]).median() for ts in (before, after)]
    grown = sizes[1] - sizes[0]
    # a part may be smaller than the whole, not larger
    shape = grown.clamp(max=torch.inf if whole[0] else 0, min=-torch.inf if whole[1] else 0).abs()
    # it rested, or it kept its pace
    jump = place[after[0]] - place[before[-1]]
    apart = torch.minimum(jump.norm(), (jump - way).norm())
    pixels = evidence.video[clip].permute(0, 2, 3, 1)
    colour = [torch.stack([pixels[t][mine[t]].mean(0) for t in ts]).mean(0) for ts in (before, after)]
    return Returned(
        colour=(colour[0] - colour[1]).abs().mean(),
        position=(known and len(paced) > 1) * apart / ((sizes[0] / 3).exp() + 0.5 * way.norm()),
        shape=shape,
        before=_picture(evidence.video[clip, before[-1]], mine[before[-1]]),
        after=_picture(evidence.video[clip, after[0]], mine[after[0]]),
    )


def _cut_share(mine: Tensor, depth_m: Tensor) -> Tensor:
    """Share ``[f]`` of an object's outline (``mine`` bool, depth, ``[f, h, w]``) at the picture's border or beside
    something nearer, which both hide what is behind them."""
    grown = max_pool2d(mine[:, None].float(), 3, 1, 1)[:, 0] > 0
    ring = grown & ~mine
    own = (depth_m * mine).sum((1, 2)) / mine.sum((1, 2)).clamp(min=1)
    covered = (ring & (depth_m < _NEARER * own[:, None, None])).sum((1, 2))
    border = mine[:, [0, -1]].sum((1, 2)) + mine[:, :, [0, -1]].sum((1, 2))
    return (covered + border) / (ring.sum((1, 2)) + border).clamp(min=1)


def _out_of_sight(
    evidence: Evidence, clip: int, gap: tuple[int, int], start: Tensor, end: Tensor, least_hidden: int
) -> bool:
    """Whether on the straight way between two places the object was covered or outside: no segment is no proof."""
    h, w = evidence.depth_m.shape[2:]
    frames = torch.arange(gap[0] + 1, gap[1], device=start.device)
    share = ((frames - gap[0]) / (gap[1] - gap[0]))[:, None]
    places = start + share * (end - start)
    local = transform(torch.linalg.inv(evidence.c2w[clip, frames]), places[:, None, None])
    pixels, z = project(local, evidence.K[clip, None].expand(len(frames), 3, 3)), local[:, 0, 0, 2]
    found = sample(evidence.depth_m[clip, frames, None], pixels)[:, 0, 0, 0]
    hidden = ~inside(pixels, h, w)[:, 0, 0] | (z < 0.05) | (found < _NEARER * z)
    return int(hidden.sum()) >= least_hidden


def _picture(frame: Tensor, mine: Tensor) -> Tensor:
    """What ``mine`` ``[h, w]`` covers of a frame, cut out, on grey, ``[3, 32, 32]``."""
    rows, columns = torch.nonzero(mine.any(1)).flatten(), torch.nonzero(mine.any(0)).flatten()
    box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    cut = frame.where(mine, 0.5)[:, box[0], box[1]]
    return torch.nn.functional.interpolate(cut[None], (_CROP, _CROP), mode="bilinear", antialias=True)[0]
