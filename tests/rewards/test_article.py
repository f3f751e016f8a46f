"""The article's class: what it computes, that gradients pass, and the flaw for which it is only a baseline."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from oracle import Oracle, clean_scenes, twin
from worldr1.estimators.depth import TransformersDepth
from worldr1.estimators.registry import make_flow
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
    ramp[:, 6:] = ramp[:, 6:7]  # what leaves the picture is as deep as the border
    frames = torch.stack([ramp.roll(t, dims=1) for t in range(3)]).view(1, 3, 1, 6, 9).expand(1, 3, 3, 6, 9)
    assert WorldR1ConsistencyReward(red_as_depth, one_to_the_right).calculate_reward(frames).item() == pytest.approx(
        0, abs=1e-6
    )
    assert WorldR1ConsistencyReward(red_as_depth, still).calculate_reward(frames).item() < -0.1


def test_pixels_that_leave_the_picture_count_as_the_article_counts_them() -> None:
    frames = torch.zeros(1, 2, 3, 4, 5)
    frames[:, 0, :, :, -1] = 0.5  # the last column moves out; the border behind it is 0
    reward = WorldR1ConsistencyReward(red_as_depth, one_to_the_right).calculate_reward(frames)
    torch.testing.assert_close(reward, torch.tensor([-0.5 / 5 / 2]))


@pytest.mark.parametrize("clipwise", [False, True])
def test_depth_may_have_a_channel_as_in_the_article(clipwise: bool) -> None:
    class WithChannel:
        def __init__(self) -> None:
            self.clipwise = clipwise

        def __call__(self, frames: Tensor) -> Tensor:
            assert len(frames) == (4 if clipwise else 12)
            return frames[:, :1]

    frames = torch.rand(3, 4, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    plain = WorldR1ConsistencyReward(red_as_depth, one_to_the_right).calculate_reward(frames)
    torch.testing.assert_close(
        WorldR1ConsistencyReward(WithChannel(), one_to_the_right).calculate_reward(frames), plain
    )
    with pytest.raises(ValueError, match=r"or \[n, 1, h, w\], not \[12, 3, 6, 7\]"):
        WorldR1ConsistencyReward(lambda x: x, one_to_the_right).calculate_reward(frames)


@pytest.mark.parametrize("flow", ["dis", "world"])
def test_gradients_reach_the_frames_through_the_packaged_depth(flow: str) -> None:
    scenes = clean_scenes(2, occluder=0.0)
    video = torch.stack([r.clip.video[:3] for r in Oracle().render(scenes)])
    video = video + 0.01 * torch.randn(video.shape, generator=torch.Generator().manual_seed(0))
    depth, estimate = TransformersDepth(), make_flow(flow)
    x = video.clone().requires_grad_()
    WorldR1ConsistencyReward(depth, estimate).calculate_reward(x).sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().amax((2, 3, 4)) > 1e-6).all()  # every frame has a part in it
    # against finite differences, the flow held: it passes no gradients
    frames = video.transpose(0, 1).flatten(0, 1)
    held = estimate(frames[:-2], frames[2:]).double()
    depth.model.double()
    reward = WorldR1ConsistencyReward(depth.with_gradients, lambda _a, _b: held)
    direction = torch.randn(video.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        ends = [reward.calculate_reward(video + t * direction) for t in (1e-8, -1e-8)]
    numeric = (ends[0] - ends[1]) / 2e-8
    torch.testing.assert_close((x.grad * direction).sum((1, 2, 3, 4)), numeric, rtol=5e-3, atol=1e-4)


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
