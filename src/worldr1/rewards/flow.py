"""Flow term: every pixel must have come from somewhere, by the camera's motion or its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from worldr1.geometry.camera import inside, pixel_grid, sample
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult

TAU = 0.04  # share of a frame left unexplained that brings the score to 1/e
_COLOUR_TOLERANCE = 0.14  # mean absolute difference of RGB that still counts as the same surface
_NEARER = 0.12  # of the distance: a surface this much nearer hides what is behind it


# source, what is where it should be [n, 3, h, w], and where that can be told [n, h, w] -> source in the other's light
Relight = Callable[[Tensor, Tensor, Tensor], Tensor]


def _colour_error(source: Tensor, target: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Least colour difference within a pixel of where the flow leads, and whether that is in the picture.

    ``source``, ``target`` ``[n, 3, h, w]``, ``flow`` ``[n, h, w, 2]``; both results ``[n, h, w]``.
    """
    height, width = source.shape[-2:]
    landing = pixel_grid(height, width, source) + flow
    best = torch.full_like(source[:, 0], torch.inf)
    for dx, dy in ((0.0, 0.0), (0.7, 0.0), (-0.7, 0.0), (0.0, 0.7), (0.0, -0.7)):
        shifted = landing + torch.tensor([dx, dy], device=landing.device)
        best = torch.minimum(best, (sample(target, shifted) - source).abs().mean(1))
    return best, inside(landing, height, width)


def unexplained(evidence: Evidence, relight: Relight | None = None) -> Tensor:
    """Share of pixels per step and direction that nothing explains: ``[b, 2, f-1]``.

    A pixel is explained when the surface in the other frame has its colour where the flow or the camera's motion
    leads, or when something nearer stands there and may hide it. Looking back from the later frame finds what
    appeared, looking ahead what disappeared. ``relight`` takes changes of light out of the source's colours.
    """
    b, f = evidence.video.shape[:2]
    now, following = evidence.video[:, :-1].flatten(0, 1), evidence.video[:, 1:].flatten(0, 1)
    depth_now, depth_following = evidence.depth_m[:, :-1].flatten(0, 1), evidence.depth_m[:, 1:].flatten(0, 1)
    shares = []
    for source, target, near, far, flow, ego in (
        (now, following, depth_now, depth_following, evidence.forward_px, evidence.ego_px),
        (following, now, depth_following, depth_now, evidence.backward_px, evidence.ego_back_px),
    ):
        if relight is not None:
            there = pixel_grid(source.shape[-2], source.shape[-1], source) + flow.flatten(0, 1)
            source = relight(source, sample(target, there), inside(there, *source.shape[-2:]))
        by_flow, in_flow = _colour_error(source, target, flow.flatten(0, 1))
        by_ego, in_ego = _colour_error(source, target, ego.flatten(0, 1))
        landing = pixel_grid(source.shape[-2], source.shape[-1], source) + ego.flatten(0, 1)
        hidden = sample(far[:, None], landing)[:, 0] < (1 - _NEARER) * near
        error = torch.minimum(by_flow, by_ego)
        strange = ((error / _COLOUR_TOLERANCE) ** 2).clamp(max=1) * (in_flow & in_ego & ~hidden)
        shares.append(strange.mean((-1, -2)).view(b, f - 1))
    return torch.stack(shares, dim=1)


def flow_term(evidence: Evidence, relight: Relight | None = None) -> TermResult:
    """exp(−u/τ) with u the unexplained share at its worst step, above the clip's own usual level.

    A teleport is one bad step in a good clip: the mean over steps would hide it. Where much changes at every
    step (fast motion uncovers background honestly) the usual level is high and is subtracted. Not asked for under a
    fixed camera (`spec`): what a small mover uncovers then outweighs most flaws, and vanishing would pay.
    """
    share = unexplained(evidence, relight).mean(1)
    usual = share.median(dim=1).values
    worst = share.amax(dim=1)
    value = torch.exp(-(0.5 * usual + (worst - usual)) / TAU)
    return TermResult(value, torch.ones_like(value, dtype=torch.bool), "")
