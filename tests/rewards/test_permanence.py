"""Things stay, stay sharp, and a camera that travels shows something new; on scenes with exact evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from rewards.general import (
    FRAMES,
    evidence_of,
    gone,
    moved,
    orbit,
    pan_away_and_return,
    push,
    recoloured,
    render,
    scene,
)
from worldr1.geometry.camera import pixel_grid, sample
from worldr1.rewards import detail
from worldr1.rewards.detail import detail_term, growth
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.novelty import novelty_guard
from worldr1.rewards.permanence import permanence_term
from worldr1.rewards.term import Term
from worldr1.types import Prompt
from worldr1.worlds.render import camera_of
from worldr1.worlds.scene import Scene

HALF = FRAMES // 2
PATHS: dict[str, Callable[[], np.ndarray]] = {"orbit": orbit, "push": push, "return": pan_away_and_return}


def at_rest(evidence: Evidence) -> Evidence:
    """As where the prompt lets nothing move: what goes its own way is no mover."""
    return replace(evidence, dynamic=torch.zeros_like(evidence.dynamic))


@cache
def clean(path: str) -> Evidence:
    return at_rest(evidence_of([scene(PATHS[path](), s) for s in range(2)]))


def numbers(term: Term, evidence: Evidence) -> list[float]:
    result = term(evidence)
    assert result.applicable.all(), result.reason_of(0)
    return result.values.tolist()


@pytest.mark.parametrize("path", PATHS)
def test_what_rests_is_permanent(path: str) -> None:
    assert min(numbers(permanence_term, clean(path))) > 0.9


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("edit", [gone, recoloured, lambda s, b, t: moved(s, b, t, (0.0, -1.0, 0.0))])
def test_what_vanishes_turns_another_colour_or_stands_elsewhere_is_not(
    path: str, edit: Callable[[Scene, int, int], Scene]
) -> None:
    broken = at_rest(evidence_of([edit(scene(PATHS[path](), s), 1, HALF) for s in range(2)]))
    for before, after in zip(numbers(permanence_term, clean(path)), numbers(permanence_term, broken), strict=True):
        assert after < before - 0.02


def test_a_slow_change_of_light_and_a_mover_are_honest() -> None:
    evidence = clean("orbit")
    dimmer = torch.linspace(1.0, 0.7, FRAMES)[:, None, None, None]
    assert min(numbers(permanence_term, replace(evidence, video=evidence.video * dimmer))) > 0.9
    assert min(numbers(permanence_term, evidence_of([scene(push(1.0), s, mover=True) for s in range(2)]))) > 0.7


def blurred(video: Tensor, widths: np.ndarray) -> Tensor:
    frames = video.flatten(0, 1).permute(0, 2, 3, 1).numpy()
    soft = [
        cv2.GaussianBlur(f, (0, 0), float(s)) if s > 0.1 else f
        for f, s in zip(frames, np.tile(widths, len(video)), strict=True)
    ]
    return torch.from_numpy(np.stack(soft)).permute(0, 3, 1, 2).reshape(video.shape)


@pytest.mark.parametrize("path", PATHS)
def test_a_picture_that_blurs_and_a_ghost_lose_detail(path: str) -> None:
    evidence = clean(path)
    blur = replace(evidence, video=blurred(evidence.video, np.linspace(0, 2, FRAMES)))
    late = (torch.arange(FRAMES) - 4).clamp(min=0)
    ghost = replace(evidence, video=0.7 * evidence.video + 0.3 * evidence.video[:, late])
    honest = numbers(detail_term, evidence)
    assert min(honest) > 0.7
    for sharp, soft, double in zip(honest, numbers(detail_term, blur), numbers(detail_term, ghost), strict=True):
        assert soft < 0.5 * sharp
        assert double < 0.9 * sharp


def test_a_texture_that_comes_nearer_spreads_and_loses_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = clean("push")
    h, w = evidence.video.shape[-2:]
    coarse = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    texture = torch.nn.functional.interpolate(coarse, (h, w), mode="bicubic").clamp(0, 1)
    size = torch.linspace(1, 2, FRAMES)
    away = pixel_grid(h, w, texture) - torch.tensor([w / 2, h / 2])
    middle = torch.tensor([w / 2, h / 2])
    video = torch.stack([sample(texture, (middle + away / s).expand(2, h, w, 2)) for s in size], 1)
    step = (size[1:] / size[:-1]).view(1, -1, 1, 1, 1)
    near = replace(
        evidence,
        video=video,
        forward_px=((step - 1) * away).expand_as(evidence.forward_px),
        backward_px=((1 / step - 1) * away).expand_as(evidence.backward_px),
    )
    known = numbers(detail_term, near)
    monkeypatch.setattr(detail, "_SPREAD", 0.0)
    for forgiven, unforgiven in zip(known, numbers(detail_term, near), strict=True):
        assert unforgiven < 0.5
        assert forgiven > 2 * unforgiven


def test_growth_is_that_of_the_picture_however_it_turns() -> None:
    grid = pixel_grid(32, 48, torch.zeros(1)) - 16
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]])
    landings = torch.stack([grid + 3, 1.5 * grid @ turn, grid / 2])
    expected = torch.tensor([1.0, 1.5, 0.5]).log()[:, None, None].expand(3, 32, 48)
    torch.testing.assert_close(growth(landings), expected, atol=1e-4, rtol=0)


def test_a_plain_picture_has_no_detail_to_lose() -> None:
    evidence = clean("orbit")
    plain = replace(evidence, video=torch.full_like(evidence.video, 0.5))
    assert not detail_term(plain).applicable.any()


@cache
def asked(path: str) -> Evidence:
    scenes = [scene(PATHS[path](), s) for s in range(2)]
    prompts = [Prompt("a scene", camera_of(s, 64, 64)) for s in scenes]
    return evidence_of(scenes, render(scenes), prompts)


@pytest.mark.parametrize("path", PATHS)
def test_a_camera_that_travels_shows_something_new(path: str) -> None:
    evidence = asked(path)
    assert numbers(novelty_guard, evidence) == [1.0, 1.0]
    held = replace(evidence, video=evidence.video[:, :1].expand_as(evidence.video))
    assert numbers(novelty_guard, held) == [0.0, 0.0]
    to_and_fro = [min(t % 6, 6 - t % 6) for t in range(FRAMES)]
    assert max(numbers(novelty_guard, replace(evidence, video=evidence.video[:, to_and_fro]))) < 0.2


def frozen_behind_things(contrast: float = 1.0) -> Evidence:
    evidence = asked("orbit")
    frozen = 0.5 + contrast * (evidence.video[:, :1] - 0.5).expand_as(evidence.video)
    things = (evidence.segments > 0)[:, :, None].expand_as(frozen)
    return replace(evidence, video=evidence.video.where(things, frozen))


def test_a_background_that_stands_still_behind_moving_things_is_not_new() -> None:
    assert max(numbers(novelty_guard, frozen_behind_things())) < 0.6


def test_a_faint_background_stands_still_in_a_large_picture_too() -> None:
    small = frozen_behind_things(contrast=0.2)
    video = torch.nn.functional.interpolate(small.video.flatten(0, 1), scale_factor=2.0, mode="bilinear")
    large = replace(small, video=video.unflatten(0, small.video.shape[:2]), K=small.K * torch.tensor([[2.0], [2], [1]]))
    assert numbers(novelty_guard, small) == numbers(novelty_guard, large) == [0.0, 0.0]
    # and through grain, which is drawn anew in every frame
    grain = 0.02 * torch.randn(large.video.shape, generator=torch.Generator().manual_seed(0))
    assert numbers(novelty_guard, replace(large, video=large.video + grain)) == [0.0, 0.0]


@pytest.mark.parametrize("grain", [0.0, 0.01, 0.015])
def test_fresh_grain_does_not_unlock_a_held_picture(grain: float) -> None:
    evidence = asked("orbit")
    video = torch.full_like(evidence.video, 0.5)
    for row, column in ((8, 8), (8, 44), (44, 8), (44, 44)):
        video[..., row : row + 6, column : column + 6] = 0.8
    noise = torch.randn(video.shape, generator=torch.Generator().manual_seed(0))
    assert numbers(novelty_guard, replace(evidence, video=video + grain * noise)) == [0.0, 0.0]


def test_a_ground_too_faint_for_strong_edges_stands_still() -> None:
    faint = frozen_behind_things(contrast=0.06)
    assert max(numbers(novelty_guard, faint)) < 0.3


def test_a_bare_horizon_may_look_the_same_under_a_pan() -> None:
    evidence = asked("return")
    video = torch.full_like(evidence.video, 0.8)
    video[..., evidence.video.shape[-2] // 2 :, :] = 0.3
    assert numbers(novelty_guard, replace(evidence, video=video)) == [1.0, 1.0]
    # with something on it that stays where it was, it is a held picture
    size = video.shape[-1]
    for column in range(2, size - 6, 8):
        video[..., size // 2 : size // 2 + 5, column : column + 4] = 0.7
    assert numbers(novelty_guard, replace(evidence, video=video)) == [0.0, 0.0]


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
        assert "camera" in result.reason_of(0)
