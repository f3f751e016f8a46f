"""Detail term: what is sharp stays sharp as it is followed. A picture that blurs, or a ghost, washes edges out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d, pad

from worldr1.geometry.camera import sample
from worldr1.rewards.edges import gradient
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult
from worldr1.rewards.tracks import followed

TAU = 0.1  # loss of log contrast that brings the score to 1/e
SLACK = 0.05  # that resampling costs
_SPREAD = 0.5  # of the growth: what comes nearer spreads its texture and keeps its outlines sharp
_LEAST_CONTRAST = 0.08  # of `edges.gradient`, relative to brightness: an edge
_DARK = 0.1  # keeps the contrast of black finite
_WINDOW = 5  # pixels over which growth is averaged
_LEAST_SHARE = 0.01  # of a frame that must be edges that can be followed
_WORST = 2
_REASON = "too few edges can be followed for a third of the clip"


def contrast(video: Tensor) -> Tensor:
    """Gradient of luminance relative to it, the largest within a pixel: ``[b, f, h, w]``."""
    relative = gradient(video).norm(dim=-1) / (video.mean(2) + _DARK)
    return max_pool2d(relative, 3, stride=1, padding=1)


def growth(landing: Tensor) -> Tensor:
    """Logarithm of how much larger things are where flow has led, ``[b, h, w]`` of landings ``[b, h, w, 2]``: half that
    of the determinant of the landings' Jacobian, which needs no depth."""
    across = (landing[:, 1:-1, 2:] - landing[:, 1:-1, :-2]) / 2
    down = (landing[:, 2:, 1:-1] - landing[:, :-2, 1:-1]) / 2
    area = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
    area = pad(area.clamp(0.05, 20.0)[:, None], (1, 1, 1, 1), mode="replicate")
    mean = avg_pool2d(area, _WINDOW, stride=1, padding=_WINDOW // 2, count_include_pad=False)[:, 0]
    return 0.5 * mean.log()


def detail_term(evidence: Evidence) -> TermResult:
    """exp(−(c − .05)⁺/.1), c the median loss of log contrast of edges followed by flow for a third of the clip, less
    half of their `growth`: a texture twice as large is half as steep.

    The mean over the two worst of the stretches, which start at every second frame. Only edges that flow follows there
    and back count. Abstains where there are too few.
    """
    f = evidence.video.shape[1]
    gap, edges = max(1, f // 3), contrast(evidence.video)
    losses, told = [], []
    for t in range(0, f - gap, 2):
        landing, trusted = followed(evidence, t, gap)
        here = trusted & (edges[:, t] > _LEAST_CONTRAST)
        later = sample(edges[:, t + gap, None], landing)[:, 0]
        change = (later + 0.01).log() - (edges[:, t] + 0.01).log() + _SPREAD * growth(landing).clamp(min=0)
        told.append(here.float().mean((1, 2)) >= _LEAST_SHARE)
        losses.append(-change.where(here, torch.nan).flatten(1).nanmedian(1).values.nan_to_num(0.0))
    enough = torch.stack(told, 1)
    loss = torch.stack(losses, 1).where(enough, 0.0).clamp(min=0)
    worst = loss.topk(min(_WORST, loss.shape[1]), dim=1).values.mean(1)
    return TermResult(torch.exp(-(worst - SLACK).clamp(min=0) / TAU), enough.any(1), _REASON)
