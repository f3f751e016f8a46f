"""Steadiness term: a camera has mass. It may turn and brake, but no single step may stand out from both neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult

HALF = 0.4  # step out of line, relative to the usual one, that brings the score to a half
SLACK = 0.15  # of a usual step: eased starts, and the camera is estimated
_LEAST_TRAVEL = 0.004  # of the scene's distance, per step, below which steps are not told apart
_LEAST_TURN_RAD = 0.006
_MIXED = 0.5  # of the other's usual step: an estimated camera takes a little travel for a turn, and the reverse
_REASON = "five frames at least are needed for two steps with neighbours on both sides"


def _usual(steps: Tensor) -> Tensor:
    """Length ``[b]`` of the usual of steps ``[b, n, 3]``."""
    length: Tensor = steps.norm(dim=-1).median(dim=1).values
    return length


def _out_of_line(steps: Tensor, usual: Tensor) -> Tensor:
    """How far ``[b, n-2]`` each inner step ``[b, n, 3]`` is from the nearest of its neighbours and their mean, over the
    ``usual`` length ``[b]``."""
    jump = steps.diff(dim=1).norm(dim=-1)
    bend = (steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2).norm(dim=-1)
    apart: Tensor = torch.minimum(torch.minimum(jump[:, :-1], jump[:, 1:]), bend) / usual[:, None]
    return apart


def steadiness_term(evidence: Evidence) -> TermResult:
    """1/(1 + max(0, j − .15)/.4), j how far the camera's worst two steps are out of line with their neighbours.

    A camera that turns round differs from the step before or from the step after, one that brakes lies between them;
    a jump or a tremble differs from both and from their mean. Of travel and turning the worse counts, each relative to
    its usual step, or half of the other's where that moves the picture more: where a camera mostly turns, estimates
    of its travel are as wrong as a share of the turn.
    """
    b, f = evidence.depth_m.shape[:2]
    device = evidence.video.device
    if f < 5:
        return TermResult(torch.zeros(b, device=device), torch.zeros(b, dtype=torch.bool, device=device), _REASON)
    step = torch.linalg.inv(evidence.c2w[:, :-1]) @ evidence.c2w[:, 1:]
    skew = (step - step.mT)[..., :3, :3] / 2
    turn = torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], -1)  # sine times axis
    distance = evidence.depth_m.flatten(1).median(1).values
    # travel over the scene's distance moves the picture as a turn by as many radians does
    usual_travel, usual_turn = _usual(step[..., :3, 3]) / distance, _usual(turn)
    least_travel = torch.maximum(_MIXED * usual_turn, usual_turn.new_tensor(_LEAST_TRAVEL))
    least_turn = torch.maximum(_MIXED * usual_travel, usual_turn.new_tensor(_LEAST_TURN_RAD))
    travel = _out_of_line(step[..., :3, 3], torch.maximum(usual_travel, least_travel) * distance)
    turning = _out_of_line(turn, torch.maximum(usual_turn, least_turn))
    worst = torch.maximum(travel, turning).topk(2, dim=1).values.mean(1)
    return TermResult(1 / (1 + (worst - SLACK).clamp(min=0) / HALF), torch.ones_like(worst, dtype=torch.bool), _REASON)
