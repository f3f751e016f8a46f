"""The article's class: what it computes, that gradients pass, and the flaw for which it is only a baseline."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from oracle import Oracle, clean_scenes, twin
from worldr1.rewards.article import WorldR1ConsistencyReward
from worldr1.rewards.composite import WorldReward
from worldr1.rewards.stack import TERMS
from worldr1.worlds.tiny.motion import camera_path


def red_as_depth(frames: Tensor) -> Tensor:
    return frames[:, 0]


def still(first: Tensor, _second: Tensor) -> Tensor:
    return torch.zeros(len(first), *first.shape[-2:], 2, dtype=first.dtype)


def one_to_the_right(first: Tensor, _second: Tensor) -> Tensor:
    return still(first, first) + torch.tensor([1.0, 0.0], dtype=first.dtype)


def test_it_is_minus_the_mean_change_of_depth_over_the_number_of_frames() -> None:
    frames = torch.tensor([0.2, 0.5, 0.1]).view(1, 3, 1, 1, 1).expand(1, 3, 3, 4, 5)
    reward = WorldR1ConsistencyReward(red_as_depth, still).calculate_reward(frames)
    torch.testing.assert_close(reward, torch.tensor([-(0.3 + 0.4) / 3]))


def test_batching_changes_nothing() -> None:
    frames = torch.rand(3, 4, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    reward = WorldR1ConsistencyReward(red_as_depth, one_to_the_right)
    together = reward.calculate_reward(frames)
    torch.testing.assert_close(together, torch.cat([reward.calculate_reward(f[None]) for f in frames]))
    assert together.unique().numel() == 3


def test_depth_that_moves_with_the_flow_costs_nothing() -> None:
    ramp = torch.rand(6, 9, generator=torch.Generator().manual_seed(1))
    frames = torch.stack([ramp.roll(t, dims=1) for t in range(3)]).view(1, 3, 1, 6, 9).expand(1, 3, 3, 6, 9)
    assert WorldR1ConsistencyReward(red_as_depth, one_to_the_right).calculate_reward(frames).item() == pytest.approx(
        0, abs=1e-6
    )
    assert WorldR1ConsistencyReward(red_as_depth, still).calculate_reward(frames).item() < -0.1


def test_warping_looks_up_where_the_flow_leads() -> None:
    image = torch.arange(12.0).view(1, 1, 3, 4)
    reward = WorldR1ConsistencyReward(red_as_depth, still)
    right = reward.warp_using_flow(image, torch.tensor([1.0, 0.0]).expand(1, 3, 4, 2))
    torch.testing.assert_close(right[..., :-1], image[..., 1:])
    half_down = reward.warp_using_flow(image, torch.tensor([0.0, 0.5]).expand(1, 3, 4, 2))
    torch.testing.assert_close(half_down[..., :-1, :], image[..., :-1, :] + 2)


def test_gradients_agree_with_finite_differences() -> None:
    frames = torch.rand(2, 3, 3, 4, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def smooth_flow(first: Tensor, second: Tensor) -> Tensor:
        return 0.3 + 0.2 * torch.stack([first.mean(1), second.mean(1)], dim=-1)

    reward = WorldR1ConsistencyReward(red_as_depth, smooth_flow)
    assert torch.autograd.gradcheck(reward.calculate_reward, frames.requires_grad_(), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 3, 4, 4), (3, 3, 4, 4)])
def test_what_is_no_batch_of_videos_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        WorldR1ConsistencyReward(red_as_depth, still).calculate_reward(torch.zeros(shape))


def test_the_flaw_an_honest_push_in_is_punished_by_it_and_not_by_ours() -> None:
    scenes = [s for s in clean_scenes(40, occluder=0.0) if s.camera_move == "push in"][:4]
    truck = camera_path("truck left", 9)
    broken = [twin(replace(s, c2w=truck, camera_move="truck left"), "colour", 3) for s in scenes]
    oracle = Oracle()
    honest, violated = oracle.render(scenes), oracle.render(broken)

    def article(rollouts: list) -> Tensor:  # type: ignore[type-arg]
        video = torch.stack([r.clip.video for r in rollouts])
        return WorldR1ConsistencyReward(oracle.depth, oracle.flow).calculate_reward(video)

    assert (article(honest) < article(violated)).all()  # with exact depth and flow
    ours = WorldReward({"depth": TERMS["depth"]}, oracle.depth, oracle.flow)(honest)
    assert min(s.parts["depth"] or 0.0 for s in ours) > 0.98
