"""Guards: floors, never something to climb. Each is 1 at or above its floor and falls to 0 below it."""

from __future__ import annotations

import torch
from torch import Tensor

from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import Term, TermResult


def sharpness(video: Tensor) -> Tensor:
    """Mean absolute spatial difference of luminance per clip, ``[b]`` from ``[b, f, 3, h, w]``."""
    gray = video.mean(2)
    return gray.diff(dim=-1).abs().mean((1, 2, 3)) + gray.diff(dim=-2).abs().mean((1, 2, 3))


def motion(video: Tensor) -> Tensor:
    """Mean absolute difference between frames per clip, ``[b]`` from ``[b, f, 3, h, w]``."""
    return video.diff(dim=1).abs().mean((1, 2, 3, 4))


def floor_guard(measure: Term, floor: float) -> Term:
    """A term that is min(1, measure / floor)."""

    def guard(evidence: Evidence) -> TermResult:
        result = measure(evidence)
        return TermResult((result.values / floor).clamp(0, 1), result.applicable, result.reason)

    return guard


def sharpness_measure(evidence: Evidence) -> TermResult:
    value = sharpness(evidence.video)
    return TermResult(value, torch.ones_like(value, dtype=torch.bool), "")


def motion_measure(evidence: Evidence) -> TermResult:
    value = motion(evidence.video)
    return TermResult(value, torch.ones_like(value, dtype=torch.bool), "")
