"""Far view term: what two distant frames both show has the same colours in both."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate

from worldr1.geometry.camera import sample
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.pairs import Carried, far_pairs, over_pairs
from worldr1.rewards.term import TermResult, masked_mean

TAU = 0.15  # mean difference of colour, light taken out, that brings the score to 1/e
_FULL = 0.25  # difference of RGB that counts in full
_CELLS = 16  # per side of the picture
_HALF, _THIRD = 9, 5  # of the cells, over which light varies: about half of the picture; a lamp that sweeps, a third
_MOST_GAIN = 1.8
_LEAST_SHARE = 0.05  # of a frame that both must show
_REASON = "no two distant frames show the same surface"


def _smooth(image: Tensor, window: int) -> Tensor:
    coarse = adaptive_avg_pool2d(image, _CELLS)
    coarse = avg_pool2d(coarse, window, stride=1, padding=window // 2, count_include_pad=False)
    return interpolate(coarse, image.shape[-2:], mode="bilinear")


def relit(source: Tensor, target: Tensor, mask: Tensor, window: int = _HALF) -> Tensor:
    """``source`` ``[n, 3, h, w]`` in the light of ``target``: times a gain that varies slowly over the picture, fitted
    where ``mask`` ``[n, h, w]`` holds, over ``window`` sixteenths of it."""
    here = mask[:, None].to(source)
    gain = (_smooth(target * here, window) + 1e-3) / (_smooth(source * here, window) + 1e-3)
    return source * gain.clamp(1 / _MOST_GAIN, _MOST_GAIN)


def far_view_term(evidence: Evidence) -> TermResult:
    """exp(−c/.15), c the mean colour difference of surfaces between frames half a clip and a whole clip apart.

    Pixels are carried by depth and camera; they count where the other frame has a surface at their depth and neither
    moves by itself. Colours are looked for within a pixel, and a change of light that varies slowly over the picture,
    as a lamp's that sweeps over it, is taken out.
    """

    def measure(pair: Carried) -> tuple[Tensor, Tensor]:
        both = pair.same_surface & ~pair.moves
        mine = relit(pair.source, sample(pair.target, pair.landing), both, _THIRD)
        best = torch.full_like(pair.expected_m, torch.inf)
        for dx, dy in ((0.0, 0.0), (0.8, 0.0), (-0.8, 0.0), (0.0, 0.8), (0.0, -0.8)):
            seen = sample(pair.target, pair.landing + pair.landing.new_tensor([dx, dy]))
            best = torch.minimum(best, (seen - mine).abs().mean(1))
        error = masked_mean((best / _FULL).clamp(max=1), both, (1, 2))
        return error, both.float().mean((1, 2))

    errors, shares = over_pairs(evidence, far_pairs(evidence.video.shape[1]), measure)
    told = shares >= _LEAST_SHARE
    return TermResult(torch.exp(-masked_mean(errors, told, (1,)) / TAU), told.any(1), _REASON)
