"""The monitor: quiet on a healthy run, loud on a hacked one; what it needs to know comes from its caller."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from learners import CONFIG, Brightness, lora, prompt
from toys import toy_policy
from worldr1.train.advantage import TermWeight
from worldr1.train.checkpoint import Checkpoints
from worldr1.train.loop import train
from worldr1.train.monitor import HackedRewardError, HackedRewardWarning, HackMonitor, diversity, find_alarms
from worldr1.types import Clip, Rollout, Score

PROMPTS = [prompt(k) for k in range(3)] * 4
HACKED = replace(CONFIG, iterations=24, group=8, lr=3e-2, clip=0.2, kl_weight=0.0, checkpoint_every=100)


def change(video: Tensor) -> Tensor:
    return video.diff(dim=-4).abs().mean((-1, -2, -3, -4))


def measure(rollouts: Sequence[Rollout]) -> Mapping[str, Tensor]:
    """What the toy's training never sees: how much happens, and how bright it is."""
    video = torch.stack([r.clip.video for r in rollouts])
    return {"held_out": change(video) + video.mean((1, 2, 3, 4)), "motion": change(video)}


def measure_brightness(rollouts: Sequence[Rollout]) -> Mapping[str, Tensor]:
    return {**measure(rollouts), "held_out": torch.stack([r.clip.video.mean() for r in rollouts])}


class FlowOnly:
    """The reward that flow alone makes: nothing moves, nothing is wrong."""

    differentiable = False

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        clips = [s.clip if isinstance(s, Rollout) else s for s in samples]
        values = [float(torch.exp(-change(c.video) / 0.02)) for c in clips]
        return [Score(v, {"still": v}) for v in values]


def test_a_reward_that_stillness_satisfies_sets_off_the_alarm(tmp_path: Path) -> None:
    config = replace(HACKED, weights={"still": TermWeight(1.0, floor=0.001)})
    monitor = HackMonitor(measure, PROMPTS, every=4, floors={"motion": 0.9}, on_hack="stop", videos=tmp_path / "videos")
    policy = toy_policy()
    with pytest.raises(HackedRewardError, match=r"rose from .* held-out measure fell .*--on-hack warn"):
        train(policy, FlowOnly(), prompt, config, tmp_path, monitor=monitor)
    state = Checkpoints(tmp_path / "checkpoints").newest()
    assert state is not None
    assert state["rows"][-1]["alarms"]
    done = len(state["rows"])
    assert done < config.iterations
    assert sorted(p.name for p in (tmp_path / "videos").iterdir())[:2] == ["000000", "000004"]
    with pytest.warns(HackedRewardWarning, match="held-out measure fell"):
        rows = train(toy_policy(), FlowOnly(), prompt, config, tmp_path, monitor=replace(monitor, on_hack="warn"))
    assert len(rows) == config.iterations


def test_an_honest_run_is_left_alone_and_not_changed_by_being_watched(tmp_path: Path) -> None:
    floors = {"motion": 0.5, "diversity": 0.5}
    monitor = HackMonitor(measure_brightness, PROMPTS, every=4, floors=floors, on_hack="stop")
    config = replace(HACKED, iterations=12)
    watched, alone = toy_policy(), toy_policy()
    with warnings.catch_warnings():
        warnings.simplefilter("error", HackedRewardWarning)
        rows = train(watched, Brightness(), prompt, config, tmp_path / "watched", monitor=monitor)
    assert [k for k, r in enumerate(rows) if "alarms" in r] == [3, 7, 11]
    assert all(r.get("alarms", []) == [] for r in rows)
    assert rows[-1]["monitor/held_out"] > rows[3]["monitor/held_out"]
    best = torch.load(next((tmp_path / "watched" / "checkpoints").glob("best-*.pt")), weights_only=True)
    assert best["score"] == max(r["monitor/held_out"] for r in rows if "alarms" in r)
    train(alone, Brightness(), prompt, config, tmp_path / "alone")
    assert torch.equal(lora(watched), lora(alone))


def alarms(held_out: float, late: float, **qualities: float) -> list[str]:
    noise = 0.02 * torch.randn(30, generator=torch.Generator().manual_seed(0))
    base = {"held_out": 0.5 + noise, **{k: torch.ones(30) for k in qualities}}
    now = {"held_out": held_out + noise.flip(0), **{k: torch.full((30,), v) for k, v in qualities.items()}}
    rewards = [0.3, 0.31, 0.29, late, late + 0.01, late - 0.01]
    return find_alarms(now, base, rewards, 3, {"motion": 0.7, "sharpness": 0.7})


def test_rising_reward_and_falling_held_out_measure_is_an_alarm_and_neither_alone_is() -> None:
    assert re.search(r"rose from 0.300 to 0.500 while .* fell from 0.498 to 0.398", alarms(0.4, 0.5)[0])
    assert alarms(0.6, 0.5) == []
    assert alarms(0.4, 0.3) == []
    assert alarms(0.499, 0.5) == []  # within the noise


def test_floors_are_shares_of_the_base() -> None:
    assert alarms(0.5, 0.3, motion=0.71, sharpness=1.4) == []
    found = alarms(0.5, 0.3, motion=0.69, sharpness=0.1)
    assert [a.split()[0] for a in found] == ["motion", "sharpness"]


def test_diversity_is_the_difference_between_samples_of_a_prompt() -> None:
    video = torch.stack([torch.full((2, 3, 4, 4), v) for v in (0.1, 0.3, 0.5, 0.5)])
    torch.testing.assert_close(diversity(video, 2), torch.tensor([0.2, 0.0]))
    torch.testing.assert_close(diversity(video, 4), torch.tensor([(0.2 + 0.4 + 0.4 + 0.2 + 0.2 + 0.0) / 6]))


def test_a_measure_without_the_held_out_value_is_refused() -> None:
    policy = toy_policy()
    policy.add_lora(4)
    with pytest.raises(ValueError, match="must contain 'held_out'"):
        HackMonitor(lambda r: {"motion": torch.ones(len(r))}, PROMPTS[:1]).start(policy)
