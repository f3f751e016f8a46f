"""Camera term: does the recovered camera do what the prompt asks?"""

from __future__ import annotations

import torch
from torch import Tensor

from worldr1.geometry.rigid import rotation_angle_deg
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult

ROTATION_TOLERANCE_DEG = 20.0
STILL_TOLERANCE_M = 0.3
SCALE_SLACK = 1.1  # of the logarithm: a clip's true scale is within a factor of 3 of the assumed one
LEAST_REGISTERED = 0.75  # of the frames, for structure from motion to have a say
LENGTH_TOLERANCE = 0.7  # of the logarithm: prompts name a move, not how far it goes


def _agreement(found: Tensor, asked: Tensor, slack: float = 0.0) -> Tensor:
    """Agreement in [0, 1], ``[n]``, of poses ``[n, f, 4, 4]``, all relative to their clip's first frame.

    Compares the whole move (last frame) and its first half: rotation by its geodesic angle, translation by
    direction and length. Direction and length stay defined on straight paths, where Umeyama's alignment of
    camera centres degenerates. ``slack`` of the logarithm of the length is forgiven.
    """
    parts = []
    for t in (found.shape[1] // 2, found.shape[1] - 1):
        turn = rotation_angle_deg(found[:, t, :3, :3].mT @ asked[:, t, :3, :3])
        a, b = found[:, t, :3, 3], asked[:, t, :3, 3]
        far, whole = a.norm(dim=-1), b.norm(dim=-1)
        direction = (0.5 + 0.5 * torch.nn.functional.cosine_similarity(a, b, dim=-1)).clamp(min=0)
        length = (far.clamp(min=1e-3) / whole).log().abs()
        length = (length - slack).clamp(min=0)
        moved = direction * torch.exp(-((length / LENGTH_TOLERANCE) ** 2) / 2)
        stayed = torch.exp(-far / STILL_TOLERANCE_M)
        parts.append(torch.exp(-turn / ROTATION_TOLERANCE_DEG) * torch.where(whole < 1e-3, stayed, moved))
    return torch.stack(parts).mean(0)


def _second_opinion(evidence: Evidence, i: int, asked: Tensor, slack: float) -> Tensor | None:
    """Agreement of clip ``i``'s structure from motion with ``asked`` ``[f, 4, 4]``; ``None`` if it saw too little."""
    assert evidence.structures is not None
    structure = evidence.structures[i]
    there = structure.registered
    ends = bool(there[0]) and bool(there[-1])
    if not ends or float(there.sum()) < LEAST_REGISTERED * structure.shown:
        return None
    there = there.to(asked.device)
    found = structure.c2w.to(asked)[there]
    ours, theirs = evidence.c2w[i][there][:, :3, 3].norm(), found[:, :3, 3].norm()
    found = torch.cat([found[:, :, :3], found[:, :, 3:] * (ours / theirs.clamp(min=1e-9))], dim=-1)
    return _agreement(found[None], asked[there][None], slack)[0]


def camera_term(evidence: Evidence) -> TermResult:
    """Agreement of the recovered path with the prompt's; abstains where the prompt has no camera path.

    Where depth has no scale (a relative network's median is set to 3 m), lengths may differ by a factor of 3 for free:
    the alignment is a Sim(3), but a camera that creeps is still told from one that moves.

    Where structure from motion registered most of the clip, its path has half the say, at the recovered one's scale.
    """
    slack = 0.0 if evidence.metric else SCALE_SLACK
    num_frames, device = evidence.c2w.shape[1], evidence.c2w.device
    asked = [None if p is None else p.camera for p in evidence.prompts]
    paths = [c if c is not None and len(c.c2w) == num_frames else None for c in asked]
    told = torch.tensor([c is not None for c in paths], device=device)
    values = evidence.c2w.new_zeros(len(paths))
    if bool(told.any()):
        poses = torch.stack([c.relative().to(evidence.c2w) for c in paths if c is not None])
        values[told] = _agreement(evidence.c2w[told], poses, slack)
        for i in told.nonzero().flatten().tolist() if evidence.structures is not None else []:
            second = _second_opinion(evidence, i, poses[int(told[:i].sum())], slack)
            if second is not None:
                values[i] = (values[i] + second) / 2
    return TermResult(values, told, "the prompt names no camera path of this length")
