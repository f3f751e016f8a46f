"""The self-tests must fail when the thing they test is broken."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from worldr1.policies.sde import SamplerConfig
from worldr1.policies.tiny_policy import TinyPolicy
from worldr1.presets import PromptSource, get_preset, load_tiny
from worldr1.train import selftest
from worldr1.train.algorithms import GRPO, NFT, Algorithm, RewardGradient
from worldr1.train.rollout import Batch, sample
from worldr1.types import Clip, Prompt, Rollout, Score


@pytest.fixture(scope="module")
def policy() -> TinyPolicy:
    policy = TinyPolicy(load_tiny(), SamplerConfig(steps=4, window=2, window_end=3))
    policy.add_lora()
    return policy


class FixedReward:
    differentiable = False

    def __init__(self, values: list[float | None]) -> None:
        self.values = values

    def __call__(self, samples: object) -> list[Score]:
        del samples
        return [Score(v) for v in self.values]


def run(policy: TinyPolicy, reward: FixedReward, algorithm: Algorithm | None = None) -> dict[str, float]:
    prompts = PromptSource(get_preset("debug").prompts, held_out=False).first(16)
    blank = Rollout(prompts[0], Clip(torch.zeros(9, 3, 32, 32)), ())
    return selftest.run_self_tests(policy, reward, prompts, range(0, 2), blank, blank, algorithm)


def test_all_pass_on_the_packaged_policy(policy: TinyPolicy) -> None:
    measured = run(policy, FixedReward([0.9, 0.1]))
    assert abs(measured["z_rms"] - 1) < 0.02
    assert measured["first_ratio_error"] == 0


def test_a_deterministic_sampler_is_caught(policy: TinyPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    def follow_the_mean(*args: Any) -> Batch:
        batch = sample(*args)
        steps = [tuple(replace(s, after=s.mean) for s in r.steps) for r in batch.rollouts]
        return replace(batch, rollouts=tuple(replace(r, steps=s) for r, s in zip(batch.rollouts, steps, strict=True)))

    monkeypatch.setattr(selftest, "sample", follow_the_mean)
    with pytest.raises(selftest.SelfTestError, match="z_rms"):
        run(policy, FixedReward([0.9, 0.1]))


def test_changed_weights_are_caught(policy: TinyPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    def then_change(*args: Any) -> Batch:
        batch = sample(*args)
        with torch.no_grad():
            policy.pipeline.transformer.proj_out.bias.add_(1e-3)
        return batch

    monkeypatch.setattr(selftest, "sample", then_change)
    with pytest.raises(selftest.SelfTestError, match="first_ratio"):
        run(policy, FixedReward([0.9, 0.1]))
    with torch.no_grad():
        policy.pipeline.transformer.proj_out.bias.sub_(1e-3)


def test_a_reward_that_prefers_the_broken_clip_is_caught(policy: TinyPolicy) -> None:
    with pytest.raises(selftest.SelfTestError, match="prefers a violated clip"):
        run(policy, FixedReward([0.1, 0.9]))


def test_a_reward_that_abstains_is_caught(policy: TinyPolicy) -> None:
    with pytest.raises(selftest.SelfTestError, match="abstains"):
        run(policy, FixedReward([None, 0.9]))


def test_the_sampler_is_checked_unless_it_cannot_draw(policy: TinyPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    reward, of_all = FixedReward([0.9, 0.1]), {"sigmas_fall", "gradient_error", "reward_margin"}
    assert run(policy, reward, NFT()).keys() == of_all | {"z_rms", "first_ratio_error", "log_prob_error"}
    monkeypatch.setattr(policy, "sampler", replace(policy.sampler, eta=0.0))
    assert run(policy, reward, NFT()).keys() == of_all


def test_noise_levels_must_fall(policy: TinyPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    reward = FixedReward([0.9, 0.1])
    monkeypatch.setattr(policy, "sigmas", [1.0, 0.7, 0.7, 0.3, 0.0])
    with pytest.raises(selftest.SelfTestError, match="sigmas_fall"):
        run(policy, reward, NFT())


def test_impossible_pairs_are_refused_before_anything_is_sampled(
    policy: TinyPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "sample", None)
    with pytest.raises(ValueError, match="not differentiable"):
        run(policy, FixedReward([0.9, 0.1]), RewardGradient())
    monkeypatch.setattr(policy, "sampler", replace(policy.sampler, eta=0.0))
    with pytest.raises(ValueError, match="follows the ODE"):
        run(policy, FixedReward([0.9, 0.1]), GRPO())


@pytest.mark.parametrize(("slope", "claimed", "passes"), [(2.0, 2.0, True), (2.0, -2.0, False), (2.0, 20.0, False)])
def test_a_wrong_reward_gradient_is_caught(slope: float, claimed: float, passes: bool) -> None:
    class Sloped:
        differentiable = True

        def __call__(self, samples: object) -> list[Score]:
            raise AssertionError(samples)

        def values(self, video: Tensor, prompts: object) -> Tensor:
            del prompts
            mean = video.mean((1, 2, 3, 4))
            return claimed * mean + (slope - claimed) * mean.detach()

    blank = Rollout(Prompt(""), Clip(torch.full((3, 3, 8, 8), 0.5)), ())
    assert (selftest.reward_gradient_error(Sloped(), blank) < 0.5) == passes
