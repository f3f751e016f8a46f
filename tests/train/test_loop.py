"""GRPO from start to end on a toy: it learns, resumes exactly and stops on nonsense."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from toys import TEXTS, toy_policy
from worldr1.policies.ltx_policy import LTXPolicy
from worldr1.train.advantage import TermWeight
from worldr1.train.loop import TrainConfig, sample_seed, train
from worldr1.types import Clip, Prompt, Rollout, Score

CONFIG = TrainConfig(
    iterations=4, prompts=2, group=4, lora_rank=4, checkpoint_every=1, weights={"bright": TermWeight(1.0, floor=0.001)}
)


def brightness(samples: Sequence[Rollout | Clip]) -> list[Score]:
    clips = [s.clip if isinstance(s, Rollout) else s for s in samples]
    values = [float(c.video.mean()) for c in clips]
    return [Score(v, {"bright": v}) for v in values]


class Brightness:
    differentiable = False

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        return brightness(samples)


def prompt(index: int) -> Prompt:
    return Prompt(TEXTS[index % len(TEXTS)])


def lora(policy: LTXPolicy) -> Tensor:
    return torch.cat([p.detach().flatten() for p in policy.trainable()])


def without_times(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in r.items() if not k.startswith("seconds")} for r in rows]


@pytest.mark.parametrize("checkpoint_every", [1, 2])
def test_an_interrupted_run_continues_bit_for_bit(tmp_path: Path, checkpoint_every: int) -> None:
    config = replace(CONFIG, checkpoint_every=checkpoint_every)
    whole = toy_policy()
    rows = train(whole, Brightness(), prompt, config, tmp_path / "whole")

    def stop(row: dict[str, Any]) -> None:
        if row["iteration"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(toy_policy(), Brightness(), prompt, config, tmp_path / "broken", stop)
    assert len((tmp_path / "broken" / "metrics.jsonl").read_text().splitlines()) == 2
    resumed, seen = toy_policy(), []
    again = train(resumed, Brightness(), prompt, config, tmp_path / "broken", lambda r: seen.append(r["iteration"]))
    assert seen == [3, 4]
    assert without_times(again) == without_times(rows)
    assert torch.equal(lora(resumed), lora(whole))
    fresh = toy_policy()
    fresh.add_lora(4, CONFIG.seed)
    assert not torch.equal(lora(whole), lora(fresh))


def test_only_the_adapter_changes_and_rows_are_written(tmp_path: Path) -> None:
    policy, untouched = toy_policy(), toy_policy()
    rows = train(policy, Brightness(), prompt, replace(CONFIG, iterations=2), tmp_path)
    assert [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == rows
    assert policy.version == 2
    assert all(r["used"] == 8 and r["gradient_norm"] > 0 for r in rows)
    with policy.reference():
        a, b = (p.sample([prompt(0)], [3])[0].clip.video for p in (policy, untouched))
    assert torch.equal(a, b)


def test_it_raises_what_it_is_paid_for(tmp_path: Path) -> None:
    policy = toy_policy()
    prompts, seeds = [prompt(i % 3) for i in range(24)], range(900, 924)
    before = torch.tensor([s.parts["bright"] for s in brightness(policy.sample(prompts, seeds))])
    config = replace(CONFIG, iterations=25, group=8, lr=2e-2, clip=0.2, kl_weight=0.0, checkpoint_every=100)
    train(policy, Brightness(), prompt, config, tmp_path)
    after = torch.tensor([s.parts["bright"] for s in brightness(policy.sample(prompts, seeds))])
    gain = after - before
    assert gain.mean() > 3 * gain.std() / len(gain) ** 0.5


def test_a_reward_that_always_abstains_changes_nothing(tmp_path: Path) -> None:
    class Silent:
        differentiable = False

        def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
            return [Score(None, {"bright": None}, {"bright": "cannot tell"}) for _ in samples]

    policy, fresh = toy_policy(), toy_policy()
    fresh.add_lora(4, CONFIG.seed)
    rows = train(policy, Silent(), prompt, replace(CONFIG, iterations=1), tmp_path)
    assert rows[0]["used"] == 0
    assert rows[0]["masked"] == 8
    assert rows[0]["reward/bright"] is None
    assert torch.equal(lora(policy), lora(fresh))


def test_nonsense_stops_the_run_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    train(toy_policy(), Brightness(), prompt, replace(CONFIG, iterations=1), tmp_path)
    state = (tmp_path / "train.pt").read_bytes()
    policy = toy_policy()
    original = policy.replay

    def broken(rollouts: Sequence[Rollout], step: int) -> tuple[Tensor, Tensor, Tensor]:
        v, mean, log_prob = original(rollouts, step)
        return v, mean, log_prob * float("nan")

    policy.replay = broken  # type: ignore[method-assign]
    with pytest.raises(FloatingPointError, match="not finite"):
        train(policy, Brightness(), prompt, CONFIG, tmp_path)
    assert (tmp_path / "train.pt").read_bytes() == state


def test_no_two_samples_of_a_run_share_their_noise() -> None:
    seeds = {sample_seed(run, i, k) for run in range(3) for i in range(50) for k in range(60)}
    assert len(seeds) == 3 * 50 * 60
