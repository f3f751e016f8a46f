"""A mover stays one where camera and depth are wrong as well, and what only seems to move is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from rewards.general import FRAMES, evidence_of, orbit, push, scene
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.movers import MAX_DYNAMIC_SHARE, moving_by_itself
from worldr1.types import Prompt

FREE = Prompt("a scene", None, "", 0, {"movers": ["a thing"]})
MOVER = 1  # segments count from one


def clip(*, mover: bool) -> Evidence:
    return evidence_of([scene(orbit(), s, mover=mover) for s in range(2)], prompts=[FREE] * 2)


def off(evidence: Evidence, error: Tensor) -> Evidence:
    """With flow that is off by ``error`` ``[h, w]`` down the picture, and returns."""
    error = torch.stack([torch.zeros_like(error), error], -1)
    return replace(evidence, forward_px=evidence.forward_px + error, backward_px=evidence.backward_px - error)


def share(moving: Tensor) -> float:
    return float(moving.float().mean((2, 3)).max())


def found(evidence: Evidence, least_px: int = 30) -> float:
    """Least share of the mover that is found, of frames that show it."""
    assert evidence.segments is not None
    mine, moving = evidence.segments == MOVER, moving_by_itself(evidence)
    shown = mine.sum((2, 3)) >= least_px
    assert shown.any()
    return float(((moving & mine).sum((2, 3)) / mine.sum((2, 3)))[shown].min())


def test_a_mover_is_found_though_much_else_is_a_little_astray() -> None:
    evidence = clip(mover=True)
    assert found(evidence) > 0.8
    h, w = evidence.depth_m.shape[-2:]
    shaky = off(evidence, 2.0 * (torch.arange(h) > 0.7 * h)[:, None].expand(h, w))
    assert found(shaky) > 0.8


def test_a_mover_that_walks_out_of_the_picture_is_one_to_the_end() -> None:
    walks = [scene(push(0.6), s, mover=True) for s in range(2)]
    for walk in walks:
        walk.position_m[:, 0, 0] = np.linspace(-2.1, 6.0, FRAMES)
        walk.position_m[:, 0, 1] = -2.0
    evidence = evidence_of(walks, prompts=[FREE] * 2)
    assert evidence.segments is not None
    assert not (evidence.segments[:, -1] == MOVER).any()
    assert found(evidence) > 0.8


def test_a_far_mover_is_one() -> None:
    near = clip(mover=True)
    c2w = near.c2w.clone()
    c2w[..., :3, 3] *= 5
    far = replace(near, depth_m=near.depth_m * 5, c2w=c2w)
    assert far.depth_m[near.segments == MOVER].min() > 14  # type: ignore[operator]
    assert found(far) > 0.8


def test_at_most_a_fifth_is_excused_and_nothing_where_most_is_astray() -> None:
    evidence = clip(mover=False)
    h, w = evidence.depth_m.shape[-2:]
    torch.manual_seed(0)
    boil = 3.0 * torch.nn.functional.interpolate(torch.randn(1, 1, h // 8, w // 8), (h, w), mode="bicubic")[0, 0]
    right = (torch.arange(w) > 0.65 * w).expand(h, w)
    assert 0.1 < share(moving_by_itself(off(evidence, boil * right))) < MAX_DYNAMIC_SHARE + 0.01
    assert share(moving_by_itself(off(evidence, boil))) == 0
    grains = 1.5 * torch.nn.functional.interpolate(torch.randn(1, 1, h // 2, w // 2), (h, w), mode="bicubic")[0, 0]
    assert share(moving_by_itself(off(evidence, grains))) < MAX_DYNAMIC_SHARE + 0.01


def test_a_sky_that_cannot_be_followed_and_what_the_camera_leaves_behind_do_not_move() -> None:
    evidence = clip(mover=False)
    h, w = evidence.depth_m.shape[-2:]
    assert share(moving_by_itself(evidence)) < 0.02
    sky = (torch.arange(h) < 0.15 * h)[:, None].expand(h, w)
    strayed = off(evidence, 4.0 * sky)
    assert moving_by_itself(strayed)[..., sky].float().mean() > 0.5
    plain = strayed.video.where(~(torch.arange(h) < 0.25 * h)[:, None], 0.5)
    far = replace(strayed, video=plain, depth_m=evidence.depth_m.where(~sky, 40.0))
    assert share(moving_by_itself(far)) < 0.02
    border = (torch.arange(w) < 4).expand(h, w)
    out = torch.tensor([-8.0, 0.0]) * border[..., None]
    left = replace(evidence, ego_px=evidence.ego_px + out, forward_px=evidence.forward_px + 2 * out)
    assert share(moving_by_itself(left)) < 0.02
