"""DIS flow: both ways at once is twice asked, fast pans are followed, enlarged frames get settings of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from worldr1.estimators import flow, flow_start
from worldr1.estimators.flow import DISFlow
from worldr1.estimators.matching import Features
from worldr1.evaluate.bench.shown import render
from worldr1.geometry.camera import inside, pixel_grid
from worldr1.worlds.filmed import film, world
from worldr1.worlds.tiny.corpus import CorpusConfig, scene_at
from worldr1.worlds.tiny.render import render_clips

NOTHING = Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))


def test_both_ways_at_once_is_each_way_by_itself() -> None:
    corpus = CorpusConfig(seed=7, violated=0.0)
    video = torch.stack([c.video[:4] for c in render_clips([scene_at(corpus, i) for i in range(3)])])
    flow = DISFlow()
    both = flow.both_ways(video)
    assert both.shape == (2, 3, 3, *video.shape[-2:], 2)
    assert both.abs().max() > 0.3  # something moves
    for i, clip in enumerate(video):
        assert torch.equal(both[0, i], flow(clip[:-1], clip[1:]))
        assert torch.equal(both[1, i], flow(clip[1:], clip[:-1]))


def test_a_fast_pan_is_followed_from_the_whole_pictures_shift() -> None:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 12, 24, generator=generator)
    wide = torch.nn.functional.interpolate(coarse, (64, 128), mode="bicubic", align_corners=False).clamp(0, 1)
    first, second = wide[..., 40:104], wide[..., 22:86]  # 18 of 64 pixels: too far for the coarsest scale
    true = torch.tensor([18.0, 0.0])
    middle = (slice(None), slice(8, -8), slice(8, 36))  # what is still in the picture

    def error(flow: DISFlow) -> float:
        return float((flow(first, second) - true).norm(dim=-1)[middle].median())

    assert error(DISFlow(shifted=True)) < 0.5
    assert error(DISFlow()) > 3


def test_larger_patches_leave_fewer_errors_in_enlarged_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds = [world(2, i, 9) for i in range(3)]
    shown = render([replace(w, camera=film(w, "boom")) for w in worlds], 64, 64)
    video = torch.stack([s.clip.video for s in shown])
    true = torch.stack([s.truth.flow_px for s in shown])
    near = torch.stack([s.truth.depth_m for s in shown])[:, :-1] < 15

    def wrong() -> float:
        error = (DISFlow(shifted=True).both_ways(video)[0] - true).norm(dim=-1)
        return float((error[near] > 1).float().mean())

    chosen = wrong()
    monkeypatch.setattr(flow, "_ENLARGED", {})
    assert chosen < 0.8 * wrong()


def test_a_fast_turn_whose_shift_is_not_found_is_followed_from_a_homography(monkeypatch: pytest.MonkeyPatch) -> None:
    turning = world(10, 34, 17)
    shown = render([replace(turning, camera=film(turning, "look away"))], 128, 128)[0]
    true = shown.truth.flow_px
    seen = inside(pixel_grid(128, 128, true) + true, 128, 128) & (shown.truth.depth_m[:-1] < 15)

    def worst_step() -> float:
        error = (DISFlow(shifted=True).both_ways(shown.clip.video[None])[0, 0] - true).norm(dim=-1)
        return max(float(e[s].median()) for e, s in zip(error, seen, strict=True))

    assert worst_step() < 1
    monkeypatch.setattr(flow_start, "_homography", lambda *_: None)
    assert worst_step() > 20


def test_a_picture_without_keypoints_starts_from_its_shift() -> None:
    # brighter and darker by so little at once that nothing stands out
    along = torch.linspace(0, torch.pi, 128)
    wave = 0.5 + 0.02 * ((3 * along).sin() + (5 * along).cos()[:, None])
    frames = torch.stack([wave[32:96, x : x + 64].expand(3, 64, 64) for x in (40, 22)])
    assert len(flow_start.keypoints(flow.to_gray(frames)[0]).points) == 0
    first, second = flow.to_gray(frames)
    found = flow_start.start(first, second, NOTHING, NOTHING)
    assert abs(float(found[..., 0].mean()) - 18) < 2


@pytest.mark.parametrize(("tilt", "usable"), [(-0.004, True), (-1 / 64, False)])
def test_a_plane_whose_horizon_is_in_the_picture_is_no_start(tilt: float, usable: bool) -> None:
    # points left of the horizon, which lies at x = -1/tilt
    rng = np.random.default_rng(0)
    before = rng.uniform(5, 45, (40, 2)).astype(np.float32)
    after = before / (1 + tilt * before[:, :1])
    names = np.abs(rng.normal(size=(40, 128))).astype(np.float32) ** 4  # unlike each other
    names /= np.linalg.norm(names, axis=1, keepdims=True)
    found = flow_start._homography((128, 128), Features(before, names), Features(after, names))
    assert (found is not None) == usable
    if found is not None:
        np.testing.assert_allclose(found[20, 30], np.array([30.5, 20.5]) / (1 + tilt * 30.5) - [30.5, 20.5], atol=0.05)


def two_layers(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A board of an eighth of the picture that moves by a quarter of it before a ground that moves by a 64th, ``[1, 2,
    3, size, size]``, and the flow."""
    generator = torch.Generator().manual_seed(3)

    def texture(cells: int) -> torch.Tensor:
        coarse = torch.rand(3, cells, 2 * cells, generator=generator)[None]
        return torch.nn.functional.interpolate(coarse, (size, 2 * size), mode="bicubic").clamp(0, 1)[0]

    ground, board, wide = texture(10), texture(14), size // 8
    frames, flow = [], torch.zeros(size, size, 2)
    for t in range(2):
        frame = ground[..., size // 4 + t * size // 64 :][..., :size].clone()
        left = size // 2 - t * size // 4
        frame[..., left : left + wide] = board[..., :wide]
        frames.append(frame)
    flow[..., 0] = -size / 64
    flow[:, size // 2 : size // 2 + wide, 0] = -size / 4
    return torch.stack(frames)[None], flow


@pytest.mark.parametrize("size", [64, 128])
def test_a_guess_leads_to_what_moves_otherwise_than_the_picture(size: int) -> None:
    video, true = two_layers(size)
    guess = torch.stack([true, -true])[:, None, None] * 0.95
    board = slice(size // 2, size // 2 + size // 8)

    def error(flow: torch.Tensor) -> float:
        return float((flow[0, 0, 0] - true).norm(dim=-1)[:, board].mean())

    plain, led = DISFlow(shifted=True).both_ways(video), DISFlow(shifted=True).both_ways(video, guess)
    assert error(led) < 1
    assert error(plain) > 10


def test_a_boundless_guess_stays_in_the_picture() -> None:
    video, true = two_layers(64)
    guess = torch.stack([true, -true])[:, None, None].clone()
    guess[..., 40:, :, 0] = 9e4  # what is behind the camera
    flow = DISFlow(shifted=True).both_ways(video, guess)[0, 0, 0]
    assert flow.isfinite().all()
    assert flow.abs().max() < 200
    assert (flow - true).norm(dim=-1)[:24, 8:-8].mean() < 1
