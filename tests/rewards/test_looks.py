"""Flow and camera by turns: what a second look gains, and what terms are shown."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from worldr1.estimators.flow import DISFlow
from worldr1.evaluate.bench.bench import clean_scene
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.judges import answer
from worldr1.evaluate.bench.shown import Shown, render
from worldr1.rewards import evidence
from worldr1.rewards.evidence import Evidence, gather_evidence
from worldr1.rewards.general import make_general_reward
from worldr1.rewards.looks import adjusted, ego_flow

CONFIG = BenchConfig(seed=5)  # in its world 2 a board passes near the camera


@pytest.fixture(scope="module")
def board() -> Shown:
    return render([clean_scene(CONFIG, 2, "truck", "screen")], 128, 128)[0]


def measured(video: Tensor, shown: Shown) -> Evidence:
    """Evidence of clips ``[b, 17, 3, 128, 128]`` with the depth and lens of ``shown``."""
    depth_m = shown.truth.depth_m.clamp(max=20)
    K = shown.truth.camera.K[:1].float().repeat(len(video), 1, 1)
    return gather_evidence(
        video,
        K,
        [None] * len(video),
        lambda frames: depth_m.repeat(len(frames) // 17, 1, 1),
        DISFlow(shifted=True),
        refine_camera=True,
    )


def test_flow_of_a_resting_world_is_the_truth(board: Shown) -> None:
    truth, camera = board.truth, board.truth.camera
    depth, c2w, K = truth.depth_m[None], camera.c2w[None].float(), camera.K[:1].float()
    both = ego_flow(depth, c2w, K)
    near = truth.depth_m < 15
    assert (both[0, 0] - truth.flow_px).norm(dim=-1)[near[:-1]].quantile(0.99) < 0.05
    assert (both[1, 0] - board.backward_px).norm(dim=-1)[near[1:]].quantile(0.99) < 0.05


def test_a_second_look_finds_the_camera_that_passes_a_board(board: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = board.truth.camera.relative().float()[:, :3, 3]

    def off() -> float:
        place = measured(board.clip.video[None], board).c2w[0, :, :3, 3]
        return float((place - asked).norm(dim=-1).max() / asked.norm(dim=-1).max())

    twice = off()
    monkeypatch.setattr(evidence, "_looked_again", lambda _video, depth_m, both, K, _flow: adjusted(depth_m, both, K))
    assert twice < 0.5 * off()


def test_terms_are_shown_flow_that_no_camera_led(board: Shown) -> None:
    video = board.clip.video[None]
    assert measured(video, board).forward_px.equal(DISFlow(shifted=True).both_ways(video)[0])


def test_a_clip_is_measured_alike_beside_others(board: Shown) -> None:
    video = torch.stack([board.clip.video, board.clip.video.flip(0)])
    together = measured(video, board)
    for i, clip in enumerate(video):
        torch.testing.assert_close(together.c2w[i], measured(clip[None], board).c2w[0], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("path", ["truck", "orbit"])
def test_stripes_that_stand_still_move_with_no_camera(path: str) -> None:
    """Along them any motion explains them; their prompt asks for one, their light drifts."""
    shown = render([clean_scene(CONFIG, 1, path)], 128, 128)[0]
    stripes = 0.5 + 0.3 * torch.sin(torch.linspace(0, 90, 128))[:, None].expand(3, 128, 128)
    held = torch.linspace(1, 1.1, 17)[:, None, None, None] * stripes
    score = make_general_reward()([answer(shown.with_video(held), shown, path)])[0]
    assert score.value is None or score.value < 0.1
