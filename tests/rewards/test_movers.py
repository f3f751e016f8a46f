"""A mover stays one where camera and depth are wrong as well, and what only seems to move is none."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from rewards.general import evidence_of, orbit, scene
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.movers import MAX_DYNAMIC_SHARE, movers
from worldr1.types import Prompt

FREE = Prompt("a scene", None, "", 0, {"movers": ["a thing"]})
MOVER = 1  # segments count from one


def clip(*, mover: bool) -> Evidence:
    return evidence_of([scene(orbit(), s, mover=mover) for s in range(2)], prompts=[FREE] * 2)


def off(evidence: Evidence, where: Tensor, by_px: float) -> Evidence:
    """With flow that is off by ``by_px`` where ``where`` ``[h, w]``, and returns."""
    error = torch.tensor([0.0, by_px]) * where[..., None]
    return replace(evidence, forward_px=evidence.forward_px + error, backward_px=evidence.backward_px - error)


def found(moving: Tensor, evidence: Evidence) -> float:
    assert evidence.segments is not None
    return float(moving[evidence.segments == MOVER].float().mean())


def test_a_mover_is_found_though_much_else_is_a_little_astray() -> None:
    evidence = clip(mover=True)
    assert found(movers(evidence), evidence) > 0.8
    h, w = evidence.depth_m.shape[-2:]
    shaky = off(evidence, (torch.arange(h) > 0.6 * h)[:, None].expand(h, w), 2.0)
    moving = movers(shaky)
    assert found(moving, evidence) > 0.8
    assert moving.float().mean((2, 3)).max() < 2 * MAX_DYNAMIC_SHARE


def test_a_sky_that_cannot_be_followed_and_what_leaves_the_picture_do_not_move() -> None:
    evidence = clip(mover=False)
    h, w = evidence.depth_m.shape[-2:]
    assert movers(evidence).float().mean() < 0.02
    sky = (torch.arange(h) < 0.15 * h)[:, None].expand(h, w)
    strayed = off(evidence, sky, 4.0)
    assert movers(strayed)[..., sky].float().mean() > 0.5
    far = replace(strayed, depth_m=evidence.depth_m.where(~sky, 40.0))
    assert movers(far).float().mean() < 0.02
    border = (torch.arange(w) < 3).expand(h, w)
    out = torch.tensor([-8.0, 0.0]) * border[..., None]
    assert movers(replace(evidence, forward_px=evidence.forward_px + out)).float().mean() < 0.05
