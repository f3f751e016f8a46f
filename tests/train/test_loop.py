"""Training from start to end on a toy: every algorithm learns, resumes exactly and stops on nonsense."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from learners import CONFIG, Brightness, PlainBrightness, lora, prompt, without_times
from toys import toy_policy
from worldr1.train import loop
from worldr1.train.advantage import TermWeight
from worldr1.train.algorithms import ALGORITHMS, AWM, GRPO, NFT, PPO, RewardGradient, make_algorithm
from worldr1.train.checkpoint import Checkpoints
from worldr1.train.loop import TrainConfig, sample_seed, train
from worldr1.train.rollout import sample
from worldr1.types import Clip, Prompt, Rollout, Score


@pytest.mark.parametrize("checkpoint_every", [1, 2])
@pytest.mark.parametrize("name", ["grpo", "ppo"])
def test_an_interrupted_run_continues_bit_for_bit(tmp_path: Path, checkpoint_every: int, name: str) -> None:
    config = replace(CONFIG, checkpoint_every=checkpoint_every, algorithm=make_algorithm(name))
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


def test_a_reward_that_draws_global_random_numbers_resumes_too(tmp_path: Path) -> None:
    class Noisy(Brightness):
        def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
            values = [s.value or 0.0 for s in super().__call__(samples)]
            return [Score(v, {"bright": v + float(torch.rand(()))}) for v in values]

    torch.manual_seed(1)
    whole = toy_policy()
    train(whole, Noisy(), prompt, CONFIG, tmp_path / "whole")
    torch.manual_seed(1)
    train(toy_policy(), Noisy(), prompt, replace(CONFIG, iterations=2, decay=1e-9), tmp_path / "half")
    torch.manual_seed(99)
    policy = toy_policy()
    train(policy, Noisy(), prompt, replace(CONFIG, decay=1e-9), tmp_path / "half")
    torch.manual_seed(1)
    constant = toy_policy()
    train(constant, Noisy(), prompt, replace(CONFIG, decay=1e-9), tmp_path / "constant")
    assert torch.equal(lora(policy), lora(constant))
    assert not torch.equal(lora(policy), lora(whole))  # the other schedule


def test_only_the_adapter_changes_and_rows_are_written(tmp_path: Path) -> None:
    policy, untouched = toy_policy(), toy_policy()
    rows = train(policy, Brightness(), prompt, replace(CONFIG, iterations=2), tmp_path)
    assert [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == rows
    assert policy.version == 2
    assert all(r["used"] == 8 and r["gradient_norm"] > 0 for r in rows)
    assert all(r["z_rms"] == pytest.approx(1, abs=0.1) for r in rows)
    assert {"kl", "clipped", "ratio", "spread", "masked_share", "seconds_sample", "seconds_update"} <= rows[0].keys()
    with policy.reference():
        a, b = (sample(p, [prompt(0)], [3]).rollouts[0].clip.video for p in (policy, untouched))
    assert torch.equal(a, b)


LEARNERS = {
    "grpo": (GRPO(), {"lr": 2e-2, "clip": 0.2}),
    "grpo guarded, iso-temporal": (GRPO(guard=True, weights="iso-temporal"), {"lr": 2e-2, "clip": 0.2}),
    "ppo": (PPO(), {"lr": 2e-2, "clip": 0.2}),
    "nft": (NFT(), {"lr": 1e-2}),
    "awm": (AWM(), {"lr": 1e-2, "clip": 0.2}),
    "reward_gradient": (RewardGradient(last=2), {"lr": 1e-2}),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_it_raises_what_it_is_paid_for(tmp_path: Path, name: str) -> None:
    algorithm, settings = LEARNERS[name]
    policy = toy_policy()
    prompts, seeds = [prompt(i % 3) for i in range(24)], range(900, 924)
    before = torch.tensor([s.parts["bright"] for s in Brightness()(sample(policy, prompts, seeds).rollouts)])
    config = replace(
        CONFIG, iterations=20, group=8, kl_weight=0.0, checkpoint_every=100, algorithm=algorithm, **settings
    )
    train(policy, Brightness(), prompt, config, tmp_path)
    after = torch.tensor([s.parts["bright"] for s in Brightness()(sample(policy, prompts, seeds).rollouts)])
    gain = after - before
    assert gain.mean() > 3 * gain.std() / len(gain) ** 0.5


def test_flow_sde_over_all_steps_learns(tmp_path: Path) -> None:
    policy = toy_policy()
    policy.sampler = replace(policy.sampler, rule="flow-sde", window=6, window_end=6, eta=0.5)
    rows = train(policy, Brightness(), prompt, replace(CONFIG, iterations=2, clip=0.2), tmp_path)
    assert all(r["z_rms"] == pytest.approx(1, abs=0.1) and r["gradient_norm"] > 0 for r in rows)
    assert rows[0]["ratio"] == pytest.approx(1)


def test_every_algorithm_is_tested_and_named() -> None:
    assert {a.name for a, _ in LEARNERS.values()} == ALGORITHMS.keys()
    with pytest.raises(ValueError, match="did you mean 'grpo'"):
        make_algorithm("gprpo")


def test_impossible_pairs_are_refused_before_anything_is_generated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "sample", None)
    with pytest.raises(ValueError, match="not differentiable"):
        train(toy_policy(), PlainBrightness(), prompt, replace(CONFIG, algorithm=RewardGradient()), tmp_path)
    policy = toy_policy()
    policy.sampler = replace(policy.sampler, eta=0.0)
    for algorithm in (GRPO(), PPO()):
        with pytest.raises(ValueError, match="follows the ODE"):
            train(policy, Brightness(), prompt, replace(CONFIG, algorithm=algorithm), tmp_path)
    with pytest.raises(ValueError, match="pass dynamic_prompts"):
        train(toy_policy(), Brightness(), prompt, replace(CONFIG, dynamic_every=2), tmp_path)


def test_the_decoupled_phase_has_its_own_prompts_and_no_geometric_terms(tmp_path: Path) -> None:
    seen: list[str] = []

    class Watched(Brightness):
        def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
            seen.extend(s.prompt.family for s in samples if isinstance(s, Rollout))
            return super().__call__(samples)

    config = replace(
        CONFIG,
        iterations=5,
        dynamic_every=2,
        dynamic_length=1,
        weights={"bright": TermWeight(1.0, floor=0.001, geometric=True), "none": TermWeight(1.0)},
    )
    dynamic = lambda k: Prompt(prompt(k).text, family="dynamic")  # noqa: E731
    rows = train(toy_policy(), Watched(), prompt, config, tmp_path, dynamic_prompts=dynamic)
    assert [r["dynamic"] for r in rows] == [0, 0, 1, 0, 0]
    assert [f == "dynamic" for f in seen] == [False] * 16 + [True] * 8 + [False] * 16
    assert [r["used"] for r in rows] == [8, 8, 0, 8, 8]  # nothing but the geometric term had an opinion


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
    assert rows[0]["masked_share"] == 1
    assert rows[0]["reward/bright"] is None
    assert torch.equal(lora(policy), lora(fresh))


def test_a_step_that_is_not_finite_is_skipped_and_the_third_in_a_row_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worldr1.train.algorithms import grpo

    original, broken = grpo.replay, {2, 4, 5, 6}

    def replay(policy: Any, rollouts: Sequence[Rollout], step: int) -> tuple[Tensor, Tensor, Tensor]:
        v, mean, log_prob = original(policy, rollouts, step)
        bad = rollouts[0].policy_version + 1 in broken
        return v, mean, log_prob * float("nan") if bad else log_prob

    monkeypatch.setattr(grpo, "replay", replay)
    rows: list[dict[str, Any]] = []
    with pytest.raises(FloatingPointError, match="not finite 3 updates in a row"):
        train(toy_policy(), Brightness(), prompt, replace(CONFIG, iterations=9), tmp_path, rows.append)
    assert [r["skipped"] for r in rows] == [0, 1, 0, 1, 1]
    assert [r["skipped_in_a_row"] for r in rows] == [0, 1, 0, 1, 2]
    state = Checkpoints(tmp_path / "checkpoints").newest()
    assert state is not None
    assert all(p.isfinite().all() for p in state["parameters"])
    monkeypatch.setattr(grpo, "replay", original)
    again = train(toy_policy(), Brightness(), prompt, replace(CONFIG, iterations=9), tmp_path)
    assert len(again) == 9


@pytest.mark.parametrize(
    ("where", "setting"),
    [("sample", "policy's batch"), ("apply_updates", "replay_batch"), ("reward", "prompts or group")],
)
def test_running_out_of_memory_names_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, setting: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    reward = Brightness()
    if where == "reward":
        monkeypatch.setattr(Brightness, "__call__", full)
    else:
        monkeypatch.setattr(loop, where, full)
    with pytest.raises(ValueError, match=setting):
        train(toy_policy(), reward, prompt, CONFIG, tmp_path)


def test_camera_noise_is_an_option_of_every_algorithm(tmp_path: Path) -> None:
    from worldr1.presets import PromptSource, get_preset

    source = PromptSource(get_preset("debug").prompts, held_out=False)
    for algorithm in (GRPO(), NFT()):
        config = replace(CONFIG, iterations=1, camera_noise=0.8, algorithm=algorithm)
        white, moved = toy_policy(), toy_policy()
        train(white, Brightness(), source, replace(config, camera_noise=0.0), tmp_path / f"{algorithm.name}-white")
        rows = train(moved, Brightness(), source, config, tmp_path / algorithm.name)
        assert rows[0]["gradient_norm"] > 0
        assert not torch.equal(lora(white), lora(moved))


@pytest.mark.parametrize(
    "wrong", [{"group": 1}, {"camera_noise": 1.5}, {"dynamic_every": -1}, {"keep_checkpoints": 0}, {"max_masked": 0.0}]
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainConfig(**wrong)  # type: ignore[arg-type]


def test_no_two_samples_of_a_run_share_their_noise() -> None:
    seeds = {sample_seed(run, i, k) for run in range(3) for i in range(50) for k in range(60)}
    assert len(seeds) == 3 * 50 * 60
