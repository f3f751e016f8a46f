"""Palette term: the colours with which a clip begins are still there at its end, and no new ones."""

from __future__ import annotations

import torch
from scipy.spatial import KDTree
from torch import Tensor
from torch.nn.functional import interpolate

from worldr1.geometry.camera import inside, sample
from worldr1.rewards.edges import reduced
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult, masked_mean
from worldr1.rewards.tracks import expected

HALF = 0.002  # share of the picture in lost and new colours that brings the score to a half
_SAME, _OTHER = 0.04, 0.15  # mean absolute difference of RGB: certainly the same colour, certainly another one
_SAME_SURFACE = 0.1  # of log depth
_MOST_GAIN = 1.8  # that a change of light may be
_MARGIN = 1 / 16  # of the shorter side: what should be this close to the border may be outside
_LEAST_SHARE = 0.05  # of a frame that must be in sight at the other end of the clip
_REASON = "the beginning and the end of the clip show different parts of the scene"


def _ends(num_frames: int) -> tuple[list[int], list[int]]:
    """Three frames of the first quarter and three of the last one, the outermost first."""
    step = max(1, num_frames // 8)
    early = sorted({min(k * step, (num_frames - 1) // 2) for k in range(3)})
    return early, [num_frames - 1 - t for t in early]


def _light(evidence: Evidence, start: int, end: int) -> Tensor:
    """Gain ``[b, 3]`` of each channel from frame ``start`` to ``end``, of the surfaces that depth and camera find in
    both; 1 where there are none."""
    landing, depth = expected(evidence, start, end)
    found = sample(evidence.depth_m[:, end, None], landing)[:, 0]
    same = (found.log() - depth.clamp(min=0.05).log()).abs() < _SAME_SURFACE
    same &= inside(landing, *found.shape[1:]) & (depth > 0.05)
    before, after = evidence.video[:, start], sample(evidence.video[:, end], landing)
    before, after = ((x * same[:, None]).mean((2, 3)) + 1e-3 for x in (before, after))
    return (after / before).clamp(1 / _MOST_GAIN, _MOST_GAIN)


def _nowhere(picture: Tensor, others: Tensor, light: Tensor) -> Tensor:
    """How strange to ``others`` ``[n, 3, h, w]``, from 0 to 1, the colours of ``picture`` ``[3, h, w]`` are, as they
    are or times ``light`` ``[3]``: ``[h, w]``."""
    known = KDTree(others.permute(0, 2, 3, 1).reshape(-1, 3).cpu().numpy())
    own = picture.flatten(1).T
    as_is, relit = (torch.from_numpy(known.query(c.cpu().numpy(), p=1)[0]) / 3 for c in (own, own * light))
    apart = torch.minimum(as_is, relit).to(own).view(picture.shape[1:])
    return ((apart - _SAME) / (_OTHER - _SAME)).clamp(0, 1)


def palette_term(evidence: Evidence) -> TermResult:
    """1/(1 + x/.002), x the share of the picture in colours that the other end of the clip shows nowhere.

    Of two frames at either end, against three of the other one, reduced to 64 pixels. What is out of sight there by
    depth and camera does not count; the camera decides nothing else, so that a small thing which came out from behind
    another in a new colour is seen where estimated motion is too coarse for a comparison in place. Colours are compared
    as they are and in the light of the other frame. What the end hides behind something else counts as lost: of honest
    orbits that is up to .2 % of the picture.
    """
    f, _, h, w = evidence.video.shape[1:]
    pictures, margin = reduced(evidence.video), _MARGIN * min(h, w)
    shares, enough = [], []
    for sources, others in (_ends(f), _ends(f)[::-1]):
        for i in sources[:2]:
            landings = [expected(evidence, i, j) for j in others]
            within = torch.stack([inside(p, h, w, margin) & (z > 0.05) for p, z in landings]).any(0)
            seen = interpolate(within[:, None].float(), pictures.shape[-2:], mode="area")[:, 0] > 0.5
            clips = zip(pictures[:, i], pictures[:, others], _light(evidence, i, others[0]), strict=True)
            shares.append((torch.stack([_nowhere(*clip) for clip in clips]) * seen).mean((1, 2)))
            enough.append(seen.float().mean((1, 2)) >= _LEAST_SHARE)
    told = torch.stack(enough)
    return TermResult(1 / (1 + masked_mean(torch.stack(shares), told, (0,)) / HALF), told.any(0), _REASON)
