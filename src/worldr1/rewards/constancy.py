"""Constancy term: objects keep their colour, size and shape, also while nobody sees them."""

from __future__ import annotations

import torch
from torch import Tensor

from worldr1.estimators.ground import NEAR_M, raised
from worldr1.geometry.camera import sample
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.pairs import Carried, frame_pairs, over_pairs
from worldr1.rewards.term import TermResult, masked_mean

TAU = 0.12
STOCK_WEIGHT = 0.15  # the inventory is told to a third or so, colours to a hundredth
_LEAST_PIXELS = 12  # of an object
_LEAST_M, _SAME_SURFACE = 0.2, 0.15  # nothing is looked for closer than that; of log depth
_NUM_HUES = 12
_FIXED_TRANSLATION_M = 0.35  # a camera that travels less than this over the clip counts as fixed
_BACKGROUND_TOLERANCE = 0.1  # mean absolute difference of RGB
_LEAST_AREA_M2 = 0.1


def hue_weights(colours: Tensor) -> Tensor:
    """Soft assignment to hues, weighted by saturation: ``[n, 12]`` of colours ``[n, 3]``."""
    r, g, b = colours.unbind(1)
    alpha, beta = r - 0.5 * (g + b), 0.866 * (g - b)
    saturation = torch.sqrt(alpha**2 + beta**2 + 1e-12)
    position = torch.atan2(beta, alpha) / (2 * torch.pi) * _NUM_HUES
    distance = (position[:, None] - torch.arange(_NUM_HUES, device=colours.device)).remainder(_NUM_HUES)
    distance = torch.minimum(distance, _NUM_HUES - distance)
    return (1 - distance / 2).clamp(min=0) / 2 * (saturation / 0.3).clamp(max=1)[:, None]


def _static_change(evidence: Evidence, up: Tensor) -> tuple[Tensor, Tensor]:
    """Colour change of objects carried by the camera between distant frames, and whether any was carried: ``[b]``."""

    def measure(pair: Carried) -> tuple[Tensor, Tensor]:
        found = sample(pair.target_m[:, None], pair.landing)[:, 0]
        same_place = (found.log() - pair.expected_m.clamp(min=_LEAST_M).log()).abs() < _SAME_SURFACE
        seen = pair.at_source(up & ~evidence.dynamic) & pair.inside & same_place
        difference = (sample(pair.target, pair.landing) - pair.source).abs().mean(1)
        return masked_mean(difference, seen, (1, 2)), seen.sum((1, 2))

    changes, counts = over_pairs(evidence, frame_pairs(evidence.video.shape[1]), measure)
    enough = counts >= _LEAST_PIXELS
    return masked_mean(changes, enough, (1,)), enough.any(1)


def movers(video: Tensor) -> Tensor:
    """Pixels ``[b, f, h, w]`` of ``[b, f, 3, h, w]`` that differ from the clip's median picture: what moves in front of
    a still camera."""
    background = video.median(dim=1, keepdim=True).values
    return (video - background).abs().mean(2) > _BACKGROUND_TOLERANCE


def inventory(evidence: Evidence, mask: Tensor) -> Tensor:
    """Metric area in m² of what ``mask`` ``[b, f, h, w]`` picks, by hue: ``[b, f, 12]``. Shadows have no hue."""
    clip, frame, y, x = torch.nonzero(mask, as_tuple=True)
    area = (evidence.depth_m[clip, frame, y, x].clamp(max=NEAR_M) / evidence.K[clip, 0, 0]) ** 2
    items = hue_weights(evidence.video[clip, frame, :, y, x]) * area[:, None]
    b, f = mask.shape[:2]
    return items.new_zeros(b * f, _NUM_HUES).index_add(0, clip * f + frame, items).view(b, f, _NUM_HUES)


def _inventory_change(evidence: Evidence) -> tuple[Tensor, Tensor]:
    """Relative change of what moves from the clip's first third to its last, and whether it can be told: ``[b]``.

    Told only under a fixed camera, from frames in which no mover is cut off by the sides: then whatever passed
    behind something else must have come out again as it was. The most that is seen in a third counts, since
    things may still be partly hidden.
    """
    travel = evidence.c2w[:, -1, :3, 3].norm(dim=-1)
    fixed = travel < _FIXED_TRANSLATION_M
    mask = torch.zeros_like(evidence.depth_m, dtype=torch.bool)
    mask[fixed] = movers(evidence.video[fixed])  # under a moving camera nearly everything would be looked at
    whole = ~mask[..., [0, -1]].flatten(2).any(-1)
    items = inventory(evidence, mask) * whole[..., None]
    k = max(1, evidence.video.shape[1] // 3)
    start, end = items[:, :k].amax(1), items[:, -k:].amax(1)
    total = start.sum(1) + end.sum(1)
    change = (start - end).abs().sum(1) / total.clamp(min=_LEAST_AREA_M2)
    told = whole[:, :k].any(1) & whole[:, -k:].any(1) & (total > _LEAST_AREA_M2)
    return change, told & fixed


def constancy_term(evidence: Evidence) -> TermResult:
    """exp(−change/τ), the change of colour where objects rest and of the inventory where they pass behind others."""
    up = raised(evidence.depth_m)
    colour, told_colour = _static_change(evidence, up)
    stock, told_stock = _inventory_change(evidence)
    change = colour * told_colour + STOCK_WEIGHT * stock * told_stock
    return TermResult(torch.exp(-change / TAU), told_colour | told_stock, "no object stands up from the ground")
