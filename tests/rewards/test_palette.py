"""Colours that are lost or new at the end of a clip, on scenes with exact evidence and with a camera that is off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

from rewards.general import FRAMES, evidence_of, gone, orbit, pan_away_and_return, push, recoloured, scene, swept
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.palette import _ends, palette_term
from worldr1.rewards.spec import evaluate
from worldr1.rewards.tracks import expected
from worldr1.types import Prompt
from worldr1.worlds.scene import Scene

HALF = FRAMES // 2
PATHS: dict[str, Callable[[], np.ndarray]] = {"orbit": orbit, "push": push, "return": pan_away_and_return}


@cache
def clean(path: str) -> Evidence:
    return evidence_of([scene(PATHS[path](), s) for s in range(3)])


def numbers(evidence: Evidence) -> list[float]:
    result = palette_term(evidence)
    assert result.applicable.all(), result.reason_of(0)
    return result.values.tolist()


@pytest.mark.parametrize("path", PATHS)
def test_a_world_keeps_its_colours(path: str) -> None:
    assert min(numbers(clean(path))) > 0.85


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("edit", [gone, recoloured])
def test_what_vanishes_or_turns_another_colour_is_seen(path: str, edit: Callable[[Scene, int, int], Scene]) -> None:
    broken = evidence_of([edit(scene(PATHS[path](), s), 1, HALF) for s in range(3)])
    assert max(numbers(broken)) < 0.5, numbers(broken)


def test_it_is_seen_with_a_camera_that_is_off() -> None:
    turn = torch.linspace(0, 0.2, FRAMES)  # radians
    off = torch.eye(4).repeat(FRAMES, 1, 1)
    off[:, 0, 0], off[:, 0, 2], off[:, 2, 0], off[:, 2, 2] = turn.cos(), turn.sin(), -turn.sin(), turn.cos()
    broken = evidence_of([recoloured(scene(orbit(), s), 1, HALF) for s in range(3)])
    honest, found = (numbers(replace(e, c2w=e.c2w @ off)) for e in (clean("orbit"), broken))
    assert min(honest) > 0.85
    assert max(found) < 0.5


def test_a_change_of_light_is_honest() -> None:
    evidence = clean("orbit")
    dimmer = torch.linspace(1.0, 0.7, FRAMES)[:, None, None, None]
    assert min(numbers(replace(evidence, video=evidence.video * dimmer))) > 0.85
    # one gain for the whole picture explains no lamp that sweeps over it
    assert min(numbers(replace(evidence, video=swept(evidence.video)))) > 0.88


def test_what_comes_into_the_picture_may_have_any_colour() -> None:
    """The camera pans away from the scene, and what it only then sees turns out to be magenta."""
    whole, last = evidence_of([scene(pan_away_and_return(), 0)]), 3
    cut = {n: getattr(whole, n)[:, : last + 1] for n in ("video", "depth_m", "c2w", "dynamic")}
    cut |= {n: getattr(whole, n)[:, :last] for n in ("forward_px", "backward_px", "ego_px", "ego_back_px")}
    away = replace(whole, segments=None, **cut)
    early, width = expected(away, last, 1)[0][0, ..., 0], whole.video.shape[-1]  # what is compared: frames 0 and 1
    new = (early < 0) | (early > width)
    assert 0.3 < new.float().mean() < 0.8
    magenta = torch.tensor([1.0, 0.0, 1.0])[:, None, None]
    plain = away.video[0, last].clone()
    away.video[0, last] = plain.where(~new, magenta)
    assert min(numbers(away)) > 0.85
    away.video[0, last] = plain.where(new, magenta)
    assert max(numbers(away)) < 0.1


def test_it_says_nothing_where_something_may_leave() -> None:
    prompts = [Prompt("a scene", None, "", 0, {"movers": m}) for m in (["a car"], [])]
    evidence = evidence_of([gone(scene(orbit(), 0), 1, HALF)] * 2, prompts=prompts)
    result = evaluate("palette", palette_term, evidence)
    assert result.applicable.tolist() == [False, True]
    assert "moves by itself" in result.reason_of(0)


@pytest.mark.parametrize("frames", range(2, 10))
def test_beginning_and_end_share_no_frame(frames: int) -> None:
    early, late = _ends(frames)
    assert early[0] == 0
    assert late[0] == frames - 1
    assert max(early) < min(late)


def test_what_is_lost_shortly_before_the_end_is_lost() -> None:
    late = FRAMES - 3
    broken = evidence_of([gone(scene(orbit(), s), 1, late) for s in range(3)])
    assert max(numbers(broken)) < 0.6, numbers(broken)


def test_a_few_pixels_of_a_colour_do_not_bring_it_back() -> None:
    evidence = evidence_of([gone(scene(orbit(), 0), 1, HALF)])
    swatch = evidence.video[0, 0][:, 20:40, 20:40].reshape(3, -1)[:, ::7]
    broken = evidence.video.clone()
    for t in range(HALF, FRAMES):
        broken[0, t, :, t, : swatch.shape[1]] = swatch  # a line of every seventh pixel of the beginning
    assert numbers(replace(evidence, video=broken))[0] < 0.8


def test_two_lights_explain_nothing_that_one_does_not() -> None:
    """All but one object in a warmer light: that one has changed, or the others have."""
    evidence = evidence_of([scene(orbit(), 0)])
    assert evidence.segments is not None
    warm = torch.tensor([1.3, 1.0, 0.7])[:, None, None]
    other = evidence.segments != 2
    video = evidence.video.clone()
    video[:, HALF:] = video[:, HALF:].where(~other[:, HALF:, None], (video[:, HALF:] * warm).clamp(max=1))
    assert numbers(replace(evidence, video=video))[0] < 0.8


def test_wide_pictures_and_plain_ones() -> None:
    whole = clean("push")
    wide = replace(whole, video=whole.video[..., :40, :], depth_m=whole.depth_m[..., :40, :], segments=None)
    assert min(numbers(wide)) > 0.8
    plain = replace(whole, video=torch.full_like(whole.video, 0.2))
    assert numbers(plain) == [1.0] * 3
    assert min(numbers(replace(whole, video=whole.video.bfloat16().float()))) > 0.85


def test_what_was_behind_something_nearer_is_not_new() -> None:
    evidence = clean("orbit")
    assert evidence.segments is not None
    thing = evidence.segments[:, :3] == 2
    video, depth = evidence.video.clone(), evidence.depth_m.clone()
    ground = video[:, :1, :, -4:, 30:31].mean((-2, -1), keepdim=True)
    video[:, :3] = video[:, :3].where(~thing[:, :, None], ground)
    appeared = replace(evidence, video=video)
    assert max(numbers(appeared)) < 0.5
    around = max_pool2d(thing.float(), 5, 1, 2) > 0
    depth[:, :3] = depth[:, :3].where(~around, 0.5 * depth[:, :3])
    assert min(numbers(replace(appeared, depth_m=depth))) > 0.85
