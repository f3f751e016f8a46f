"""A camera that travels shows something new; on scenes with exact evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from rewards.general import FRAMES, evidence_of, orbit, pan_away_and_return, push, render, scene
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.novelty import novelty_guard
from worldr1.rewards.spec import SPECS
from worldr1.types import CameraPath, Prompt
from worldr1.worlds.render import camera_of

PATHS: dict[str, Callable[[], np.ndarray]] = {"orbit": orbit, "push": push, "return": pan_away_and_return}


def novelty(evidence: Evidence) -> list[float]:
    result = novelty_guard(evidence)
    assert result.applicable.all(), result.reason_of(0)
    return result.values.tolist()


@cache
def asked(path: str) -> Evidence:
    scenes = [scene(PATHS[path](), s) for s in range(2)]
    prompts = [Prompt("a scene", camera_of(s, 64, 64)) for s in scenes]
    return evidence_of(scenes, render(scenes), prompts)


@pytest.mark.parametrize("path", PATHS)
def test_a_camera_that_travels_shows_something_new(path: str) -> None:
    evidence = asked(path)
    assert novelty(evidence) == [1.0, 1.0]
    held = replace(evidence, video=evidence.video[:, :1].expand_as(evidence.video))
    assert novelty(held) == [0.0, 0.0]
    fading = torch.linspace(1.0, 0.3, FRAMES)[:, None, None, None]
    assert novelty(replace(held, video=held.video * fading)) == [0.0, 0.0]
    to_and_fro = [min(t % 6, 6 - t % 6) for t in range(FRAMES)]
    assert novelty(replace(evidence, video=evidence.video[:, to_and_fro])) == [0.0, 0.0]


def frozen_behind_things(contrast: float = 1.0) -> Evidence:
    evidence = asked("orbit")
    frozen = 0.5 + contrast * (evidence.video[:, :1] - 0.5).expand_as(evidence.video)
    things = (evidence.segments > 0)[:, :, None].expand_as(frozen)
    return replace(evidence, video=evidence.video.where(things, frozen))


def test_a_background_that_stands_still_behind_moving_things_is_not_new() -> None:
    assert novelty(frozen_behind_things()) == [0.0, 0.0]


def test_a_faint_background_stands_still_in_a_large_picture_too() -> None:
    small = frozen_behind_things(contrast=0.2)
    video = torch.nn.functional.interpolate(small.video.flatten(0, 1), scale_factor=2.0, mode="bilinear")
    large = replace(small, video=video.unflatten(0, small.video.shape[:2]), K=small.K * torch.tensor([[2.0], [2], [1]]))
    assert novelty(small) == novelty(large) == [0.0, 0.0]
    # and through grain, which is drawn anew in every frame
    grain = 0.02 * torch.randn(large.video.shape, generator=torch.Generator().manual_seed(0))
    assert novelty(replace(large, video=large.video + grain)) == [0.0, 0.0]


@pytest.mark.parametrize("grain", [0.0, 0.01, 0.015])
def test_fresh_grain_does_not_unlock_a_held_picture(grain: float) -> None:
    evidence = asked("orbit")
    video = torch.full_like(evidence.video, 0.5)
    for row, column in ((8, 8), (8, 44), (44, 8), (44, 44)):
        video[..., row : row + 6, column : column + 6] = 0.8
    noise = torch.randn(video.shape, generator=torch.Generator().manual_seed(0))
    assert novelty(replace(evidence, video=video + grain * noise)) == [0.0, 0.0]


def test_a_ground_too_faint_for_strong_edges_stands_still() -> None:
    assert novelty(frozen_behind_things(contrast=0.06)) == [0.0, 0.0]


def test_a_bare_horizon_may_look_the_same_under_a_pan() -> None:
    evidence = asked("return")
    video = torch.full_like(evidence.video, 0.8)
    video[..., evidence.video.shape[-2] // 2 :, :] = 0.3
    assert novelty(replace(evidence, video=video)) == [1.0, 1.0]
    # with something on it that stays where it was, it is a held picture
    size = video.shape[-1]
    for column in range(2, size - 6, 8):
        video[..., size // 2 : size // 2 + 5, column : column + 4] = 0.7
    assert novelty(replace(evidence, video=video)) == [0.0, 0.0]


def test_novelty_is_not_asked_of_a_camera_that_stays_or_that_no_prompt_names() -> None:
    evidence = asked("orbit")
    staying = [
        replace(p, camera=replace(p.camera, c2w=p.camera.c2w[:1].expand_as(p.camera.c2w)))
        for p in evidence.prompts
        if p is not None and p.camera is not None
    ]
    for prompts in ((None, None), tuple(staying)):
        result = novelty_guard(replace(evidence, prompts=prompts))
        assert not result.applicable.any()
        assert result.reason_of(0) == SPECS["novelty"].reason  # it does not apply: no silence that counts as 0


@pytest.mark.parametrize("frames", [2, 4])
def test_few_frames_show_something_new_or_do_not(frames: int) -> None:
    evidence = asked("orbit")
    every = [round(t * (FRAMES - 1) / (frames - 1)) for t in range(frames)]
    cameras = [p.camera for p in evidence.prompts if p is not None and p.camera is not None]
    prompts = tuple(Prompt("a scene", CameraPath(c.c2w[every], c.K[every])) for c in cameras)
    short = replace(evidence, video=evidence.video[:, every], depth_m=evidence.depth_m[:, every], prompts=prompts)
    assert novelty(short) == [1.0, 1.0]
    assert novelty(replace(short, video=short.video[:, :1].expand_as(short.video))) == [0.0, 0.0]


def split(far_m: float) -> Evidence:
    """The push over a picture whose upper half is held, at a given distance."""
    evidence = asked("push")
    half = evidence.video.shape[-2] // 2
    video, depth = evidence.video.clone(), evidence.depth_m.clone()
    hills = torch.rand(2, 1, 3, half // 4, 16, generator=torch.Generator().manual_seed(0))
    video[..., :half, :] = hills.repeat_interleave(4, -1).repeat_interleave(4, -2)
    depth[..., :half, :] = far_m
    return replace(evidence, video=video, depth_m=depth)


def test_hills_far_away_may_stay_where_they_are_and_a_wall_nearby_may_not() -> None:
    assert novelty(split(far_m=1000.0)) == [1.0, 1.0]
    assert novelty(split(far_m=4.0)) == [0.0, 0.0]


def board(step_px: float) -> Evidence:
    """A chequered wall with a period of 16 pixels, that slides as it does for a camera asked to go by two a frame."""
    evidence = asked("push")
    columns, rows = torch.arange(64), torch.arange(64)[:, None]
    seen = torch.stack([(columns + step_px * t) // 8 % 2 for t in range(FRAMES)])[:, None, None, :]
    video = 0.3 + 0.4 * (seen + rows // 8).remainder(2).expand_as(evidence.video)
    c2w = torch.eye(4).repeat(FRAMES, 1, 1)
    c2w[:, 0, 3] = torch.arange(FRAMES) * 2 * 5.0 / float(evidence.K[0, 0, 0])
    prompt = Prompt("a wall", CameraPath(c2w, evidence.K[:1].expand(FRAMES, 3, 3)))
    return replace(evidence, video=video, depth_m=torch.full_like(evidence.depth_m, 5.0), prompts=(prompt,) * 2)


def test_a_board_that_moves_by_its_period_is_not_held() -> None:
    assert novelty(board(step_px=2.0)) == [1.0, 1.0]
    assert novelty(board(step_px=0.0)) == [0.0, 0.0]


def test_depth_without_a_number_is_no_way_out() -> None:
    evidence = asked("orbit")
    depth = evidence.depth_m.clone()
    depth[1, 0, 0, 0] = torch.nan
    result = novelty_guard(replace(evidence, depth_m=depth))
    assert result.applicable.tolist() == [True, False]
    assert result.reason_of(1) != SPECS["novelty"].reason  # so that it counts as 0
