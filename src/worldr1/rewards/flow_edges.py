"""Flow between pairs of frames, some of them apart: what depth and camera are adjusted to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from worldr1.geometry.camera import inside, pixel_grid, sample

GAPS = (1, 2, 4)  # frames over which flow is followed, ahead and back
_FLOW_SIGMA_PX, _FLOW_SIGMA_OF_DIAGONAL = 0.3, 0.001  # of one step of flow (the larger one)
_MOST_PER_SIDE = 96  # pixels of a frame's shorter side that are adjusted; larger frames are thinned to that


@dataclass(frozen=True)
class Edges:
    """Flow between pairs of frames: ``n`` directed pairs, ``h`` x ``w`` of the pixels of their earlier frames."""

    start: Tensor  # [n] frames
    end: Tensor  # [n]
    landing: Tensor  # [b, n, h, w, 2] pixels in the later frame
    trusted: Tensor  # [b, n, h, w] in [0, 1]
    sigma_px: Tensor  # [n]


def thinned(height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns that are adjusted: all of a small picture."""
    every = max(1, min(height, width) // _MOST_PER_SIDE)
    return slice(every // 2, None, every), slice(every // 2, None, every)


def follow_edges(forward_px: Tensor, backward_px: Tensor, gaps: tuple[int, ...] = GAPS) -> Edges:
    """Edges of all frames from flow ``[b, f-1, h, w, 2]`` to the next frame and back, chained over ``gaps``."""
    b, steps, height, width, _ = forward_px.shape
    f, thin = steps + 1, thinned(height, width)
    grid = pixel_grid(height, width, forward_px)[thin]
    h, w = grid.shape[:2]
    sigma = max(_FLOW_SIGMA_PX, _FLOW_SIGMA_OF_DIAGONAL * math.hypot(height, width))
    start, end, landings, trust, sigmas = [], [], [], [], []
    for sign, ahead, behind in ((1, forward_px, backward_px), (-1, backward_px, forward_px)):
        place = grid.expand(b, f, h, w, 2).clone()
        seen = torch.ones(b, f, h, w, dtype=torch.bool, device=grid.device)
        for gap in range(1, max(gaps) + 1):
            if gap > steps:
                break
            first = range(f - gap) if sign > 0 else range(gap, f)
            flow_at = [t + gap - 1 if sign > 0 else t - gap for t in first]
            here = place[:, list(first)].flatten(0, 1)
            moved = here + sample(ahead[:, flow_at].flatten(0, 1).permute(0, 3, 1, 2), here).permute(0, 2, 3, 1)
            back = sample(behind[:, flow_at].flatten(0, 1).permute(0, 3, 1, 2), moved).permute(0, 2, 3, 1)
            ok = inside(moved, height, width) & ((moved + back - here).norm(dim=-1) < 1.0)
            place[:, list(first)] = moved.view(b, -1, h, w, 2)
            seen[:, list(first)] &= ok.view(b, -1, h, w)
            if gap in gaps:
                start += list(first)
                end += [t + sign * gap for t in first]
                landings.append(place[:, list(first)].clone())
                trust.append(seen[:, list(first)].clone())
                sigmas += [sigma * gap**0.5] * len(first)
    device = grid.device
    return Edges(
        torch.tensor(start, device=device),
        torch.tensor(end, device=device),
        torch.cat(landings, 1),
        torch.cat(trust, 1).to(grid),
        torch.tensor(sigmas, device=device),
    )
