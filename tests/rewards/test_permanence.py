"""Things stay, and stay sharp; on scenes with exact evidence."""

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
    scene,
)
from worldr1.geometry.camera import pixel_grid, sample
from worldr1.rewards import detail, permanence
from worldr1.rewards.detail import detail_term, growth
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.permanence import permanence_term
from worldr1.rewards.term import Term
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


def test_colours_are_looked_for_within_the_reach_pixel_by_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    side = 40
    source, target = torch.rand(2, 2, 3, side, side, generator=generator)
    landing = pixel_grid(side, side, source) + 3 * torch.rand(2, side, side, 2, generator=generator)
    here = torch.rand(2, side, side, generator=generator) > 0.3
    found = permanence._strange(source, target, landing, here)
    radius = 0.08 * side
    steps = np.linspace(-radius, radius, 2 * round(radius) + 1)
    offsets = torch.tensor([(x, y) for x in steps for y in steps if np.hypot(x, y) <= radius + 1e-6]).float()
    for i, y, x in [(0, 3, 5), (1, 20, 20), (1, 39, 0), (0, 31, 12)]:
        colours = sample(target[i : i + 1], (landing[i, y, x] + offsets)[None, None])[0, :, 0]
        nearest = float((colours - source[i, :, y, x, None]).abs().mean(0).amin())
        expected = min(max((nearest - 0.06) / 0.2, 0.0), 1.0) * float(here[i, y, x])
        assert float(found[i, y, x]) == pytest.approx(expected, abs=1e-5)
    assert found.max() > 0.05
    monkeypatch.setattr(permanence, "_AT_ONCE", 7)
    assert permanence._strange(source, target, landing, here).equal(found)


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
