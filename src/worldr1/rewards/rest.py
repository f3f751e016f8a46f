"""Rest term: where the prompt lets nothing move by itself, the camera's motion is all the motion there is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult, masked_mean
from worldr1.rewards.tracks import FAR_M, expected, followed

HALF = 0.06  # share of the picture that goes its own way that brings the score to a half
_FULL_OF_DIAGONAL = 0.012  # a pixel this far from where it should be goes its own way entirely
_NOISE_OF_DIAGONAL = 0.006  # the clip's usual error, at most this, is the estimators'
_WORST_SHARE = 0.2  # of the steps
_LEAST_SHARE = 0.1  # of a frame that must be followed
_REASON = "too little of the picture can be followed"


def _astray(evidence: Evidence, gap: int) -> tuple[Tensor, Tensor]:
    """How far ``[b, n, h, w]`` pixels are from where they should be after ``gap`` frames, as a share of the
    diagonal, at all or five starts, and where that can be told."""
    f, h, w = evidence.depth_m.shape[1:]
    steps = ((t, t + 1, *followed(evidence, t, 1)) for t in range(f - 1))
    errors, told = [], []
    for t, end, landing, trusted in evidence.thirds if gap > 1 else steps:
        resting, depth = expected(evidence, t, end)
        seen = trusted & (evidence.depth_m[:, t] < FAR_M) & (depth > 0.05)
        error = ((landing - resting).norm(dim=-1) / (h**2 + w**2) ** 0.5).where(seen, 0.0)
        # flow at an edge is a mixture of two surfaces': what is a pixel wide is no mover
        errors.append(-max_pool2d(-error, 3, stride=1, padding=1))
        told.append(seen)
    return torch.stack(errors, 1), torch.stack(told, 1)


def rest_term(evidence: Evidence) -> TermResult:
    """1/(1 + (s + l)/.06): the share of pixels that go their own way, s at the worst fifth of single steps, l on
    average over a third of the clip.

    Steps show jumps, long stretches what creeps. A pixel counts in full at 1.2 % of the diagonal from where depth and
    camera lead it, beyond twice the clip's own median error, which is taken for the estimators'. The curve falls
    slowly, as estimated depth leads many pixels astray.
    """
    f = evidence.depth_m.shape[1]
    shares, enough = [], []
    for gap in sorted({1, max(1, f // 3)}):
        error, told = _astray(evidence, gap)
        usual = error.where(told, torch.nan).flatten(1).nanmedian(1).values.nan_to_num(0.0)
        noise = 2 * usual.clamp(max=_NOISE_OF_DIAGONAL)
        own = ((error - noise[:, None, None, None]) / _FULL_OF_DIAGONAL).clamp(0, 1)
        share = masked_mean(own, told, (-1, -2))
        seen = told.float().mean((-1, -2)) >= _LEAST_SHARE
        share = share.where(seen, 0.0)
        worst = max(1, round(_WORST_SHARE * share.shape[1]))
        shares.append(share.topk(worst, dim=1).values.mean(1) if gap == 1 else masked_mean(share, seen, (1,)))
        enough.append(seen.any(1))
    return TermResult(1 / (1 + torch.stack(shares).sum(0) / HALF), torch.stack(enough).all(0), _REASON)
