"""Permanence term: what a frame shows is still there half a clip later, or hidden by something nearer."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from worldr1.geometry.camera import sample
from worldr1.rewards.depth import NEAR_M
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.far_view import relit
from worldr1.rewards.pairs import Carried, far_pairs, over_pairs
from worldr1.rewards.term import TermResult

THROUGH_TAU, LOST_TAU = 0.03, 0.02  # shares of the picture that bring the score to 1/e
_LEAST_M = 0.05
_THROUGH = 0.1  # of log depth, beyond three times the pair's median error, by which a surface must be seen through
_FULL_THROUGH = 0.5
_SAME_SURFACE, _HERE = 0.1, 0.3  # of log depth: certainly the remembered surface; not another one before or behind it
_REACH = 0.08  # of the picture's shorter side, within which a colour is looked for
_SAME_COLOUR, _OTHER_COLOUR = 0.06, 0.26  # mean absolute difference of RGB
_AT_ONCE = 4096  # pixels
_WORST_PAIRS = 2
_LEAST_SHARE = 0.05  # of a frame that both must show
_REASON = "no two distant frames show the same part of the scene"


def _blobs(share: Tensor) -> Tensor:
    """Mean of ``share`` ``[b, h, w]`` without what is a pixel or two wide: there depth and flow mix two surfaces."""
    whole: Tensor = -max_pool2d(-share, 3, stride=1, padding=1)
    return whole.mean((1, 2))


def _strange(source: Tensor, target: Tensor, landing: Tensor, here: Tensor) -> Tensor:
    """How unlike ``source`` the nearest colour of ``target``, ``[b, 3, h, w]``, around ``landing`` is, in [0, 1]; 0 but
    ``here``, ``[b, h, w]``."""
    radius = _REACH * min(source.shape[-2:])
    steps = torch.linspace(-radius, radius, 2 * round(min(radius, 5.0)) + 1, dtype=torch.double)
    offsets = torch.cartesian_prod(steps, steps)
    offsets = offsets[offsets.norm(dim=1) <= radius + 1e-6, None].to(landing)
    best = (sample(target, landing) - source).abs().mean(1)
    searched = here & (best > _SAME_COLOUR)  # the others are at home already
    for i, where in enumerate(searched):
        found = []
        for place, colour in zip(
            landing[i][where].split(_AT_ONCE), source[i][:, where].split(_AT_ONCE, 1), strict=True
        ):
            seen = sample(target[i, None], (place + offsets)[None])[0]  # [3, offsets, pixels]
            found.append((seen - colour[:, None]).abs().mean(0).amin(0))
        best[i, where] = torch.cat(found)
    unlike: Tensor = ((best - _SAME_COLOUR) / (_OTHER_COLOUR - _SAME_COLOUR)).clamp(0, 1)
    return unlike.where(here, 0.0)


def permanence_term(evidence: Evidence) -> TermResult:
    """exp(−t/.03 − l/.02): t and l the shares of the picture seen through, and of colours lost, in the worst two pairs.

    Pairs are half a clip and a whole clip apart, in both directions; depth and camera carry pixels from one frame to
    the other. Seen through is where the other frame sees more than a tenth farther than what was there, beyond three
    times the usual error of the pair. Lost is a colour that the other frame, where it has that surface, shows nowhere
    within 8 % of the picture: depth need not be exact for that. What moves by itself does not count, nor what is
    narrower than three pixels.
    """

    def measure(pair: Carried) -> tuple[Tensor, Tensor, Tensor]:
        within = pair.inside & (pair.expected_m > _LEAST_M) & ~pair.moves
        log_depth = pair.expected_m.clamp(min=_LEAST_M).log()
        error = sample(pair.target_m[:, None], pair.landing)[:, 0].log() - log_depth
        near = within & (pair.source_m < NEAR_M)
        usual = error.abs().where(near, torch.nan).flatten(1).nanmedian(1).values.nan_to_num(0.0)
        nearest = -max_pool2d(-pair.target_m, 3, stride=1, padding=1)
        found = sample(nearest[:, None], pair.landing)[:, 0].log()
        behind = found - log_depth - _THROUGH - 3 * usual[:, None, None]
        through = _blobs((behind / _FULL_THROUGH).clamp(0, 1).where(near, 0.0))

        here = within & (error.abs() < _HERE)
        light = within & (error.abs() < _SAME_SURFACE)
        source = relit(pair.source, sample(pair.target, pair.landing), light)
        lost = _blobs(_strange(source, pair.target, pair.landing, here))
        return through, lost, here.float().mean((1, 2))

    through, lost, shares = over_pairs(evidence, far_pairs(evidence.video.shape[1]), measure)
    told = shares >= _LEAST_SHARE

    def worst(share: Tensor) -> Tensor:
        return share.where(told, 0.0).topk(min(_WORST_PAIRS, share.shape[1]), dim=1).values.mean(1)

    value = torch.exp(-worst(through) / THROUGH_TAU - worst(lost) / LOST_TAU)
    return TermResult(value, told.any(1), _REASON)
