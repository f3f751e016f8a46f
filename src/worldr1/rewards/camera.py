"""Camera term: does the recovered camera do what the prompt asks?"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from worldr1.geometry.rigid import rotation_angle_deg
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult

ROTATION_TOLERANCE_DEG = 20.0
STILL_TOLERANCE_M = 0.3
SCALE_SLACK = 1.1  # of the logarithm: a clip's true scale is within a factor of 3 of the assumed one
OBEYED = 0.3  # agreement below which the clip does something else than what was asked
LENGTH_TOLERANCE = 0.7  # of the logarithm: prompts name a move, not how far it goes


def _agreement(found: Tensor, asked: Tensor, slack: float = 0.0) -> Tensor:
    """Agreement in [0, 1] of one clip's poses ``[f, 4, 4]``, both relative to the first frame.

    Compares the whole move (last frame) and its first half: rotation by its geodesic angle, translation by
    direction and length. Direction and length stay defined on straight paths, where Umeyama's alignment of
    camera centres degenerates. ``slack`` of the logarithm of the length is forgiven.
    """
    parts = []
    for t in (len(found) // 2, len(found) - 1):
        turn = rotation_angle_deg(found[t, :3, :3].T @ asked[t, :3, :3])
        a, b = found[t, :3, 3], asked[t, :3, 3]
        score = torch.exp(-turn / ROTATION_TOLERANCE_DEG)
        if b.norm() < 1e-3:
            score = score * torch.exp(-a.norm() / STILL_TOLERANCE_M)
        else:
            direction = 0.5 + 0.5 * torch.nn.functional.cosine_similarity(a, b, dim=0)
            length = (a.norm().clamp(min=1e-3) / b.norm()).log().abs()
            length = (length - slack).clamp(min=0)
            score = score * direction * torch.exp(-((length / LENGTH_TOLERANCE) ** 2) / 2)
        parts.append(score)
    return torch.stack(parts).mean()


def camera_term(evidence: Evidence) -> TermResult:
    """Agreement of the recovered path with the prompt's; abstains where the prompt has no camera path.

    Where depth has no scale (a relative network's median is set to 3 m), lengths may differ by a factor of 3 for free:
    the alignment is a Sim(3), but a camera that creeps is still told from one that moves.
    """
    slack = 0.0 if evidence.metric else SCALE_SLACK
    values, applicable = [], []
    for i, prompt in enumerate(evidence.prompts):
        asked = prompt.camera if prompt is not None else None
        fits = asked is not None and len(asked.c2w) == evidence.c2w.shape[1]
        applicable.append(fits)
        if asked is not None and fits:
            values.append(_agreement(evidence.c2w[i], asked.relative().to(evidence.c2w), slack))
        else:
            values.append(evidence.c2w.new_zeros(()))
    mask = torch.tensor(applicable, device=evidence.c2w.device)
    return TermResult(torch.stack(values), mask, "the prompt names no camera path of this length")


def obedience_guard(evidence: Evidence) -> TermResult:
    """min(1, agreement / .3): a clip that goes nowhere, or to and fro, does not answer its prompt, however solid it is.

    Abstains as `camera_term` does.
    """
    result = camera_term(evidence)
    return replace(result, values=(result.values / OBEYED).clamp(max=1))
