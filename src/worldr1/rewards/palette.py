"""Palette term: the colours with which a clip begins are still there at its end, and no new ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import KDTree
from torch import Tensor
from torch.nn.functional import interpolate

from worldr1.geometry.camera import inside, sample
from worldr1.rewards.edges import reduced
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.far_view import relit
from worldr1.rewards.term import TermResult, masked_mean
from worldr1.rewards.tracks import expected, same_surface

Array = npt.NDArray[Any]

HALF = 0.002  # share of the picture in lost and new colours that brings the score to a half
_SAME, _OTHER = 0.04, 0.15  # mean absolute difference of RGB: certainly the same colour, certainly another one
_FEWEST = 4  # pixels that make a colour one of the picture's
_MARGIN = 1 / 16  # of the shorter side: what should be this close to the border may be outside
_NEARER = 0.8  # of the depth: what is nearer hides the place, by estimates too
_LEAST_SHARE = 0.05  # of a frame that must be in sight at the other end of the clip
_REASON = "the beginning and the end of the clip show different parts of the scene"


def _ends(num_frames: int) -> tuple[list[int], list[int]]:
    """Up to three frames of the beginning and three of the end, the outermost first, none of them in both."""
    step, last = max(1, num_frames // 16), num_frames - 1
    early = sorted({min(k * step, (last - 1) // 2) for k in range(3)})
    return early, [last - t for t in early]


def _lit(evidence: Evidence, start: int, end: int) -> Tensor:
    """Frame ``start``, `reduced`, ``[b, 3, h, w]``, in the light of frame ``end``: that of the surfaces which depth and
    camera find in both."""
    landing, depth = expected(evidence, start, end)
    seen = sample(evidence.video[:, end], landing)
    lit = relit(evidence.video[:, start], seen, same_surface(evidence.depth_m[:, end], landing, depth))
    return reduced(lit[:, None])[:, 0]


def _in_sight(evidence: Evidence, start: int, end: int) -> Tensor:
    """Pixels ``[b, h, w]`` of frame ``start`` whose place is in frame ``end``'s picture and behind nothing nearer."""
    landing, depth = expected(evidence, start, end)
    h, w = depth.shape[1:]
    before_it = sample(evidence.depth_m[:, end, None], landing)[:, 0] < _NEARER * depth
    return inside(landing, h, w, _MARGIN * min(h, w)) & (depth > 0.05) & ~before_it


def _colours(pictures: Tensor) -> Array:
    """Colours ``[k, 3]`` of pictures ``[n, 3, h, w]``, each at most `_FEWEST` times: a tree is slow on equal ones."""
    pixels = (pictures.float().movedim(-3, -1).reshape(-1, 3) * 255).round().cpu().numpy()
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    return np.repeat(colours, np.minimum(counts, _FEWEST), axis=0) / 255


def _nowhere(picture: Tensor, lit: Tensor, others: Tensor, seen: Tensor) -> Tensor:
    """Mean of how strange, from 0 to 1, the colours of ``picture`` ``[3, h, w]`` are to ``others`` ``[n, 3, h, w]``, of
    pixels that are ``seen`` ``[h, w]``; either all as they are or all as in the others' light, ``lit``."""
    known = KDTree(_colours(others))
    means = []
    for own in (picture, lit):
        colours, where = np.unique((own.float().flatten(1).T * 255).round().cpu().numpy(), axis=0, return_inverse=True)
        apart = known.query(colours / 255, k=[_FEWEST], p=1)[0][:, 0] / 3
        strange = np.clip((apart - _SAME) / (_OTHER - _SAME), 0, 1)[where.ravel()]
        means.append((torch.from_numpy(strange).to(own) * seen.flatten()).mean())
    return torch.stack(means).amin()


def palette_term(evidence: Evidence) -> TermResult:
    """1/(1 + x/.002), x the share of the picture in colours that the other end of the clip shows nowhere.

    Of two frames at either end, against three of the other one, reduced to 64 pixels. What is out of sight there by
    depth and camera does not count; the camera decides nothing else, so that a small thing which came out from behind
    another in a new colour is seen where estimated motion is too coarse for a comparison in place. Colours are compared
    as they are or in the light of the other frame, which may vary slowly over the picture, whichever leaves less.
    """
    f, pictures = evidence.video.shape[1], reduced(evidence.video)
    shares, enough = [], []
    for sources, others in (_ends(f), _ends(f)[::-1]):
        for i in sorted({sources[0], sources[-1]}):
            within = torch.stack([_in_sight(evidence, i, j) for j in others]).any(0)
            seen = interpolate(within[:, None].float(), pictures.shape[-2:], mode="area")[:, 0] > 0.5
            clips = zip(pictures[:, i], _lit(evidence, i, others[0]), pictures[:, others], seen, strict=True)
            shares.append(torch.stack([_nowhere(*clip) for clip in clips]))
            enough.append(seen.float().mean((1, 2)) >= _LEAST_SHARE)
    told = torch.stack(enough)
    return TermResult(1 / (1 + masked_mean(torch.stack(shares), told, (0,)) / HALF), told.any(0), _REASON)
