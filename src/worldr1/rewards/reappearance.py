"""Reappearance term: what comes back into sight is where it was and looks as it did."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from worldr1.geometry.camera import inside, project, sample, transform
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.missing import missing_objects
from worldr1.rewards.returning import Returned, distance_to_path, returned_objects
from worldr1.rewards.term import Term, TermResult

Features = Callable[[Tensor], Tensor]  # pictures [n, 3, h, w] in [0, 1] -> unit vectors [n, d]
POSITION_TAU, COLOUR_TAU, SHAPE_TAU, FEATURE_TAU = 0.1, 0.12, 0.1, 0.5
OBJECT_POSITION_TAU, OBJECT_SHAPE_TAU = 0.8, 0.6  # of its size; of its log volume
# what honest returns reach: light and the mixed pixels of edges; the middle of what is seen of a thing wanders
COLOUR_SLACK, OBJECT_POSITION_SLACK, OBJECT_SHAPE_SLACK = 0.1, 0.3, 0.25
NEW_VIEW = 0.04  # of the distance: how far from every earlier viewpoint something must be seen again
_STRIDE = 2  # pixels between remembered points
_NEARER = 0.9  # of the expected depth: what is nearer hides the point
_LEAST_SHARE = 0.02  # of a frame's pixels that must come back
_TAIL = 0.8  # quantile of the errors: a changed thing is a small part of what comes back
_REASON = "nothing comes back into sight under a viewpoint of its own"


def least_hidden(num_frames: int) -> int:
    """Frames for which something must be out of sight."""
    return max(2, num_frames // 8)


def _surface_errors(evidence: Evidence) -> list[Tensor]:
    """For each clip the errors ``[n, 2]`` of static points that come back: signed log depth and colour.

    A point is remembered from one of three frames; it is out of sight where something nearer stands or it leaves the
    picture, and back where neither is so any more. It counts at its first return if the camera is then away from
    all places from which the point had been seen: going back along the same way proves nothing.
    """
    b, f, _, h, w = evidence.video.shape
    world, k = evidence.world_points(), least_hidden(f)
    nearest = -torch.nn.functional.max_pool2d(-evidence.depth_m, 3, 1, 1)
    farthest = torch.nn.functional.max_pool2d(evidence.depth_m, 3, 1, 1)
    errors: list[list[Tensor]] = [[world.new_zeros(0, 2)] for _ in range(b)]
    for start in sorted({0, f // 4, f // 2}):
        cut = (slice(None), start, slice(1, None, _STRIDE), slice(1, None, _STRIDE))
        points = world[cut].flatten(1, 2)
        colour = evidence.video.permute(0, 1, 3, 4, 2)[cut].flatten(1, 2)
        open_ = ~evidence.dynamic[cut].flatten(1)  # not yet back, and at rest
        run = torch.zeros_like(points[..., 0])
        centres = evidence.c2w[:, :, :3, 3]
        seen_at = torch.zeros(b, points.shape[1], f, dtype=torch.bool, device=run.device)
        for t in range(f):
            local = transform(torch.linalg.inv(evidence.c2w[:, t]), points[:, :, None])
            pixels, z = project(local, evidence.K), local[:, :, 0, 2].clamp(min=0.05)
            low = sample(nearest[:, t, None], pixels)[:, 0, :, 0]
            high = sample(farthest[:, t, None], pixels)[:, 0, :, 0]
            within = inside(pixels, h, w)[..., 0] & (local[:, :, 0, 2] > 0.05)
            hidden = ~within | (high < _NEARER * z)
            moving = sample(evidence.dynamic[:, t, None].to(pixels), pixels)[:, 0, :, 0] > 0
            back = ~hidden & (run >= k) & open_ & (t > start)
            if bool(back.any()):
                away = distance_to_path(centres[:, t], centres[:, :t])  # [b, t-1]
                near = seen_at[..., : t - 1] | seen_at[..., 1:t]  # what was seen from either end of a piece of the path
                closest = away[:, None].expand_as(near).where(near, torch.inf).amin(-1)
                told = back & ~moving & (closest > NEW_VIEW * z)
                depth_error = (low.log() - z.log()).clamp(min=0) - (z.log() - high.log()).clamp(min=0)
                colour_error = _colour_error(evidence.video[:, t], pixels, colour)
                for i in range(b):
                    errors[i].append(torch.stack([depth_error[i][told[i]], colour_error[i][told[i]]], -1))
            open_ = open_ & ~back
            run = torch.where(hidden & (t > start), run + 1, 0)
            seen_at[..., t] = ~hidden
    return [torch.cat(e) for e in errors]


def _colour_error(picture: Tensor, pixels: Tensor, colour: Tensor) -> Tensor:
    """Least difference ``[b, p]`` of ``colour`` ``[b, p, 3]`` to the picture within a pixel of where it should be."""
    best = torch.full_like(colour[..., 0], torch.inf)
    for dx, dy in ((0.0, 0.0), (0.8, 0.0), (-0.8, 0.0), (0.0, 0.8), (0.0, -0.8)):
        found = sample(picture, pixels + pixels.new_tensor([dx, dy]))[..., 0].mT
        best = torch.minimum(best, (found - colour).abs().mean(-1))
    return best


def _surface_score(errors: Tensor) -> Tensor:
    """Position · colour · shape in [0, 1] of one clip's returned points; 0-d."""
    depth, colour = errors.unbind(-1)
    middle = depth.median()
    shape = (depth - middle).abs().quantile(_TAIL)
    unlike = (colour.quantile(_TAIL) - COLOUR_SLACK).clamp(min=0)
    return torch.exp(-middle.abs() / POSITION_TAU - unlike / COLOUR_TAU - shape / SHAPE_TAU)


def _object_score(found: Returned, features: Features | None) -> Tensor:
    """Position · appearance · shape in [0, 1] of an object that came back; 0-d."""
    away = (found.position - OBJECT_POSITION_SLACK).clamp(min=0)
    grown = (found.shape - OBJECT_SHAPE_SLACK).clamp(min=0)
    cost = found.colour / COLOUR_TAU + away / OBJECT_POSITION_TAU + grown / OBJECT_SHAPE_TAU
    if features is not None:
        before, after = features(torch.stack([found.before, found.after]))
        cost = cost + (1 - before @ after) / FEATURE_TAU
    return torch.exp(-cost)


def reappearance(features: Features | None = None) -> Term:
    """Position · appearance · shape of what was out of sight for an eighth of the clip and came back.

    Static surfaces are compared with the remembered world point by point, objects (where there are segments) as a
    whole: their place against their own way, their colour, their size and, with ``features``, a deep feature of
    their picture. The clip has the score of whatever came back worst, and 0 where an object of a world at rest is gone
    from a place in open view. Otherwise it abstains where nothing came back, or only to where it had been seen from:
    a loop that plays to and fro earns nothing.
    """

    def term(evidence: Evidence) -> TermResult:
        b, f, _, h, w = evidence.video.shape
        least = max(8, _LEAST_SHARE * h * w)
        values, told = evidence.video.new_ones(b), torch.zeros(b, dtype=torch.bool, device=evidence.video.device)
        for i, errors in enumerate(_surface_errors(evidence)):
            scores = [_surface_score(errors)] if len(errors) >= least else []
            back = returned_objects(evidence, i, least_hidden(f), NEW_VIEW)
            scores += [_object_score(found, features) for found in back]
            scores += [values.new_zeros(())] * missing_objects(evidence, i)
            if scores:
                values[i], told[i] = torch.stack(scores).amin(), True
        return TermResult(values, told, _REASON)

    return term


reappearance_term = reappearance()
