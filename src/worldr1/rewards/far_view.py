"""Far view term: what two distant frames both show has the same colours in both."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate

from worldr1.geometry.camera import sample
from worldr1.rewards.depth import frame_pairs
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult, masked_mean
from worldr1.rewards.tracks import expected, same_surface

TAU = 0.15  # mean difference of colour, light taken out, that brings the score to 1/e
_FULL = 0.25  # difference of RGB that counts in full
_CELLS, _LIGHT_CELLS = 16, 9  # per side of the picture; light varies over about half of it, colours within it
_MOST_GAIN = 1.8
_LEAST_SHARE = 0.05  # of a frame that both must show
_REASON = "no two distant frames show the same surface"


def _smooth(image: Tensor) -> Tensor:
    coarse = adaptive_avg_pool2d(image, _CELLS)
    coarse = avg_pool2d(coarse, _LIGHT_CELLS, stride=1, padding=_LIGHT_CELLS // 2, count_include_pad=False)
    return interpolate(coarse, image.shape[-2:], mode="bilinear")


def relit(source: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """``source`` ``[n, 3, h, w]`` in the light of ``target``: times a gain that varies slowly over the picture, fitted
    where ``mask`` ``[n, h, w]`` holds."""
    here = mask[:, None].to(source)
    gain = (_smooth(target * here) + 1e-3) / (_smooth(source * here) + 1e-3)
    return source * gain.clamp(1 / _MOST_GAIN, _MOST_GAIN)


def far_view_term(evidence: Evidence) -> TermResult:
    """exp(−c/.15), c the mean colour difference of surfaces between frames half a clip and a whole clip apart.

    Pixels are carried by depth and camera; they count where the other frame has a surface at their depth and neither
    moves by itself. Colours are looked for within a pixel, and a change of light that varies slowly over the picture
    is taken out.
    """
    f = evidence.video.shape[1]
    errors, enough = [], []
    for i, j in (p for p in frame_pairs(f) if abs(p[0] - p[1]) >= f // 2):
        landing, depth = expected(evidence, i, j)
        moving = sample(evidence.dynamic[:, j, None].to(landing), landing)[:, 0] > 0
        both = same_surface(evidence, j, landing, depth) & ~moving & ~evidence.dynamic[:, i]
        source, target = evidence.video[:, i], evidence.video[:, j]
        mine = relit(source, sample(target, landing), both)
        best = torch.full_like(depth, torch.inf)
        for dx, dy in ((0.0, 0.0), (0.8, 0.0), (-0.8, 0.0), (0.0, 0.8), (0.0, -0.8)):
            seen = sample(target, landing + landing.new_tensor([dx, dy]))
            best = torch.minimum(best, (seen - mine).abs().mean(1))
        errors.append(masked_mean((best / _FULL).clamp(max=1), both, (1, 2)))
        enough.append(both.float().mean((1, 2)) >= _LEAST_SHARE)
    told = torch.stack(enough)
    return TermResult(torch.exp(-masked_mean(torch.stack(errors), told, (0,)) / TAU), told.any(0), _REASON)
