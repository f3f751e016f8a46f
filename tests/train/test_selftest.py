"""The self-tests must fail when the thing they test is broken."""

from dataclasses import replace

import pytest
import torch

from worldr1.policies.ltx_policy import LTXPolicy
from worldr1.policies.sde import SamplerConfig
from worldr1.presets import PromptSource, get_preset, load_tiny
from worldr1.train import selftest
from worldr1.types import Clip, Rollout, Score


@pytest.fixture(scope="module")
def policy() -> LTXPolicy:
    policy = LTXPolicy(load_tiny(), SamplerConfig(steps=4, window=2, window_end=3))
    policy.add_lora()
    return policy


class FixedReward:
    differentiable = False

    def __init__(self, values: list[float | None]) -> None:
        self.values = values

    def __call__(self, samples: object) -> list[Score]:
        del samples
        return [Score(v) for v in self.values]


def run(policy: LTXPolicy, reward: FixedReward) -> dict[str, float]:
    prompts = PromptSource(get_preset("debug").prompts, held_out=False).first(16)
    blank = Rollout(prompts[0], Clip(torch.zeros(9, 3, 32, 32)), ())
    return selftest.run_self_tests(policy, reward, prompts, range(0, 2), blank, blank)


def test_all_pass_on_the_packaged_policy(policy: LTXPolicy) -> None:
    measured = run(policy, FixedReward([0.9, 0.1]))
    assert abs(measured["z_rms"] - 1) < 0.02
    assert measured["first_ratio_error"] == 0


def test_a_deterministic_sampler_is_caught(policy: LTXPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = LTXPolicy.sample

    def follow_the_mean(self: LTXPolicy, *args: object) -> list[Rollout]:
        rollouts = sample(self, *args)  # type: ignore[arg-type]
        return [replace(r, steps=tuple(replace(s, after=s.mean) for s in r.steps)) for r in rollouts]

    monkeypatch.setattr(LTXPolicy, "sample", follow_the_mean)
    with pytest.raises(selftest.SelfTestError, match="z_rms"):
        run(policy, FixedReward([0.9, 0.1]))


def test_changed_weights_are_caught(policy: LTXPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = LTXPolicy.sample

    def then_change(self: LTXPolicy, *args: object) -> list[Rollout]:
        rollouts = sample(self, *args)  # type: ignore[arg-type]
        with torch.no_grad():
            self.pipeline.transformer.proj_out.bias.add_(1e-3)
        return rollouts

    monkeypatch.setattr(LTXPolicy, "sample", then_change)
    with pytest.raises(selftest.SelfTestError, match="first_ratio"):
        run(policy, FixedReward([0.9, 0.1]))
    with torch.no_grad():
        policy.pipeline.transformer.proj_out.bias.sub_(1e-3)


def test_a_reward_that_prefers_the_broken_clip_is_caught(policy: LTXPolicy) -> None:
    with pytest.raises(selftest.SelfTestError, match="prefers a violated clip"):
        run(policy, FixedReward([0.1, 0.9]))


def test_a_reward_that_abstains_is_caught(policy: LTXPolicy) -> None:
    with pytest.raises(selftest.SelfTestError, match="abstains"):
        run(policy, FixedReward([None, 0.9]))
