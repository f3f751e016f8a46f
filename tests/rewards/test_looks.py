"""Flow and camera by turns: what a prompt's path says about flow, how long that path is, and what two looks gain."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from worldr1.estimators.flow import DISFlow
from worldr1.evaluate.bench.bench import clean_scene
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.shown import Shown, render
from worldr1.geometry.camera import inside, pixel_grid
from worldr1.rewards.evidence import gather_evidence
from worldr1.rewards.looks import asked_flow, ego_flow
from worldr1.types import Prompt

CONFIG = BenchConfig(seed=5)  # its world 4 has a board that passes near the camera


@pytest.fixture(scope="module")
def board() -> Shown:
    return render([clean_scene(CONFIG, 4, "orbit", "screen")], 128, 128)[0]


def asks(shown: Shown, length: float = 1.0) -> Prompt:
    camera = shown.truth.camera
    c2w = camera.c2w.clone()
    c2w[:, :3, 3] = c2w[:1, :3, 3] + length * (c2w[:, :3, 3] - c2w[:1, :3, 3])
    return Prompt("the camera moves", replace(camera, c2w=c2w), "orbit", 0, {"movers": []})


def wrong(flow_px: Tensor, shown: Shown) -> float:
    """Mean error in pixels where the truth stays in the picture."""
    true = shown.truth.flow_px
    stays = inside(pixel_grid(128, 128, true) + true, 128, 128) & (shown.truth.depth_m[:-1] < 15)
    return float((flow_px - true).norm(dim=-1)[stays].mean())


def evidence_flow(shown: Shown, prompts: list[Prompt | None]) -> Tensor:
    def depth(frames: Tensor) -> Tensor:
        return shown.truth.depth_m.clamp(max=20).repeat(len(frames) // 17, 1, 1)

    video = shown.clip.video.repeat(len(prompts), 1, 1, 1, 1)
    K = shown.truth.camera.K[:1].float().repeat(len(prompts), 1, 1)
    return gather_evidence(video, K, prompts, depth, DISFlow(shifted=True), refine_camera=True).forward_px


def test_flow_of_a_resting_world_is_the_truth(board: Shown) -> None:
    truth, camera = board.truth, board.truth.camera
    depth, c2w, K = truth.depth_m[None], camera.c2w[None].float(), camera.K[:1].float()
    both = ego_flow(depth, c2w, K)
    near = truth.depth_m < 15
    assert (both[0, 0] - truth.flow_px).norm(dim=-1)[near[:-1]].quantile(0.99) < 0.05
    assert (both[1, 0] - board.backward_px).norm(dim=-1)[near[1:]].quantile(0.99) < 0.05


@pytest.mark.parametrize("length", [1.0, 0.4, 2.5])
def test_an_asked_path_is_as_long_as_the_picture_says(board: Shown, length: float) -> None:
    video, depth, K = board.clip.video[None], board.truth.depth_m[None], board.truth.camera.K[:1].float()
    found = asked_flow(video, depth.clamp(max=20), K, [asks(board, 1 / length)])
    assert wrong(found[0, 0], board) < 0.3


def test_without_a_path_of_the_clips_length_nothing_is_asked(board: Shown) -> None:
    video, depth, K = board.clip.video[None], board.truth.depth_m[None], board.truth.camera.K[:1].float()
    prompt = asks(board)
    assert prompt.camera is not None
    short = replace(prompt, camera=replace(prompt.camera, c2w=prompt.camera.c2w[:9], K=prompt.camera.K[:9]))
    for other in (None, short):
        assert asked_flow(video, depth, K, [other]).eq(0).all()


def test_a_board_near_the_camera_is_followed_where_the_path_is_asked_for(board: Shown) -> None:
    plain = DISFlow(shifted=True).both_ways(board.clip.video[None])[0, 0]
    asked, unasked = (evidence_flow(board, [p])[0] for p in (asks(board), None))
    assert wrong(asked, board) < 0.5 * wrong(plain, board)
    assert wrong(unasked, board) < 0.8 * wrong(plain, board)  # by the second look alone


def test_a_clip_is_measured_alike_beside_others(board: Shown) -> None:
    together = evidence_flow(board, [asks(board), None])
    for i, prompt in enumerate((asks(board), None)):
        torch.testing.assert_close(together[i], evidence_flow(board, [prompt])[0], atol=1e-3, rtol=1e-3)


def test_a_path_that_is_not_taken_does_not_lead_astray() -> None:
    """A still picture whose prompt asks for a move stays still."""
    shown = render([clean_scene(CONFIG, 1, "truck")], 128, 128)[0]
    held = replace(shown, clip=replace(shown.clip, video=shown.clip.video[:1].repeat(17, 1, 1, 1)))
    assert evidence_flow(held, [asks(shown)]).norm(dim=-1).quantile(0.99) < 0.05
