"""The differentiable part of the reward: its gradient is right, and following it raises the whole."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from oracle import Oracle, clean_scenes, twin
from worldr1.estimators.depth import TransformersDepth
from worldr1.geometry.camera import sample
from worldr1.rewards.composite import WorldReward
from worldr1.rewards.differentiable import DifferentiableWorldReward
from worldr1.rewards.far_view import far_view_term
from worldr1.rewards.guards import Floor, floor_guard, saturation
from worldr1.rewards.parallax import parallax_term
from worldr1.rewards.stack import make_reward
from worldr1.types import Prompt


@pytest.fixture(scope="module")
def reward() -> DifferentiableWorldReward:
    return DifferentiableWorldReward(make_reward(Floor(default=0.2), Floor(default=2.0)))


@pytest.fixture(scope="module")
def clips() -> tuple[torch.Tensor, list[Prompt]]:
    """A clean and a broken clip of three scenes with moving cameras."""
    scenes = clean_scenes(3, occluder=0.0)
    rollouts = Oracle().render([x for k, s in enumerate(scenes) for x in (s, twin(s, "teleport", k))])
    video = torch.stack([r.clip.video for r in rollouts])
    # flat colours make ties, and at ties absolute values and minima have kinks
    noise = 0.01 * torch.randn(video.shape, generator=torch.Generator().manual_seed(0))
    return (video + noise).clamp(0.02, 0.98), [r.prompt for r in rollouts]


def test_the_gradient_agrees_with_finite_differences(
    reward: DifferentiableWorldReward, clips: tuple[torch.Tensor, list[Prompt]], monkeypatch: pytest.MonkeyPatch
) -> None:
    video, prompts = clips
    # masks are sampled as float32, which float64 pixels do not accept
    monkeypatch.setattr("worldr1.rewards.depth.sample", lambda image, pixels: sample(image.to(pixels), pixels))
    held = reward.measure(video, prompts)
    held = replace(held, **{k: v.double() for k, v in vars(held).items() if getattr(v, "dtype", None) == torch.float32})
    reward.network.model.double()
    try:
        x = video.double().requires_grad_()
        (gradient,) = torch.autograd.grad(reward.values_given(held, x).sum(), x)
        # float64 and tiny steps: between the kinks of masks and maxima the function is smooth
        direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        h = 1e-9  # so small that hardly a pixel crosses a kink
        with torch.no_grad():
            ends = [reward.values_given(held, x + t * direction) for t in (h, -h)]
        numeric = (ends[0] - ends[1]) / (2 * h)
        analytic = (gradient * direction).sum((1, 2, 3, 4))
        torch.testing.assert_close(analytic, numeric, rtol=1e-3, atol=1e-4)
        assert (analytic.abs() > 1e-3).all()
    finally:
        reward.network.model.float()


def test_following_the_gradient_raises_the_measured_reward(
    reward: DifferentiableWorldReward, clips: tuple[torch.Tensor, list[Prompt]]
) -> None:
    video, prompts = clips
    x = video.clone().requires_grad_()
    values = reward.values(x, prompts)
    (gradient,) = torch.autograd.grad(values.sum(), x)
    with torch.no_grad():
        up, down = (reward.values(video + t * gradient.sign(), prompts) for t in (0.002, -0.002))
    # flow and camera are measured anew, and they jump: each clip need not rise, their mean must
    assert float((up - values).mean()) > 0.005
    assert float((down - values).mean()) < -0.005


def test_the_broken_twin_is_worth_less(
    reward: DifferentiableWorldReward, clips: tuple[torch.Tensor, list[Prompt]]
) -> None:
    values = reward.values(*clips).view(-1, 2)
    assert float((values[:, 0] - values[:, 1]).mean()) > 0.05


def test_scores_are_the_whole_rewards(
    reward: DifferentiableWorldReward, clips: tuple[torch.Tensor, list[Prompt]]
) -> None:
    from worldr1.types import Clip, Rollout

    samples = [Rollout(p, Clip(v), ()) for v, p in zip(*clips, strict=True)]
    assert reward(samples) == reward.reward(samples)
    assert {"motion", "prompt", "parallax"} <= reward(samples)[0].parts.keys()


def test_where_no_term_applies_there_is_no_value() -> None:
    bare = make_reward(Floor(), Floor(), with_prompt=False)
    depth_only = DifferentiableWorldReward(WorldReward({"depth": bare.terms["depth"]}, bare.depth, bare.flow))
    video = torch.rand(1, 5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert math.isnan(float(depth_only.values(video, [Prompt("", facts={"camera": "fixed"})])))


def test_what_passes_no_gradient_is_refused() -> None:
    whole = make_reward(Floor(), Floor(), with_prompt=False)
    with pytest.raises(ValueError, match="none of the reward's terms"):
        DifferentiableWorldReward(WorldReward({"parallax": parallax_term}, TransformersDepth(), whole.flow))
    with pytest.raises(ValueError, match="transformers depth model"):
        DifferentiableWorldReward(WorldReward(whole.terms, lambda frames: frames[:, 0], whole.flow))
    for options in ({"refine_camera": True}, {"both_hands": True}):  # they score other depth than is differentiated
        with pytest.raises(ValueError, match="without refine_camera and both_hands"):
            DifferentiableWorldReward(WorldReward(whole.terms, whole.depth, whole.flow, **options))


def test_terms_are_differentiated_where_the_table_says_so_and_where_they_apply() -> None:
    whole = make_reward(Floor(default=0.2), Floor(default=2.0))
    tiny = DifferentiableWorldReward(whole)
    assert list(tiny.terms) == ["depth", "flow", "constancy", "sharpness"]  # what the tiny model trains by
    terms = {"saturation": floor_guard(saturation, Floor(default=0.9)), "far_view": far_view_term}
    reward = DifferentiableWorldReward(WorldReward(terms, whole.depth, whole.flow))
    assert list(reward.terms) == ["saturation", "far_view"]
    video = torch.rand(1, 5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    fixed = Prompt("", facts={"camera": "fixed"})
    only = DifferentiableWorldReward(WorldReward({"saturation": terms["saturation"]}, whole.depth, whole.flow))
    assert float(reward.values(video, [fixed])) == float(only.values(video, [fixed]))
