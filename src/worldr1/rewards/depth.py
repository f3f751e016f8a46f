"""Depth term: what one frame says is solid, no other frame may see through."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from worldr1.geometry.camera import sample
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.pairs import Carried, frame_pairs, over_pairs
from worldr1.rewards.term import TermResult, masked_mean

TAU = 0.05  # mean log-depth error that brings the score to 1/e
NEAR_M = 8.0  # the scene; depth beyond it is too coarse to compare
_LEAST_M = 0.2
_LEAST_PIXELS = 50


def depth_term(evidence: Evidence) -> TermResult:
    """exp(−mean e / τ) with e = max(0, log D_j(π) − log z_{i→j}): lift by D_i, move by the camera, look in frame j.

    Only a surface *behind* the remembered one contradicts it, one in front may be an honest occluder; the other
    direction of the pair covers that case. True depth changes under a camera push are not punished, unlike in
    the article's own reward. Pixels that move by themselves are left out. Not asked for under a fixed camera (`spec`):
    without a change of viewpoint agreeing depth is no evidence.
    """

    def measure(pair: Carried) -> tuple[Tensor, Tensor]:
        # the nearest surface within a pixel: sub-pixel misalignment at an edge must not look like a hole
        nearest = -max_pool2d(-pair.target_m, 3, stride=1, padding=1)
        found = sample(nearest[:, None], pair.landing)[:, 0]
        seen = pair.inside & (pair.expected_m > _LEAST_M) & ~pair.moves & (pair.source_m < NEAR_M)
        error = (found.log() - pair.expected_m.clamp(min=_LEAST_M).log()).clamp(0, 1)
        return masked_mean(error, seen, (1, 2)), seen.sum((1, 2))

    errors, counts = over_pairs(evidence, frame_pairs(evidence.video.shape[1]), measure)
    enough = counts >= _LEAST_PIXELS
    mean = masked_mean(errors, enough, (1,))
    return TermResult(torch.exp(-mean / TAU), enough.any(1), "no part of the scene is seen from two viewpoints")
