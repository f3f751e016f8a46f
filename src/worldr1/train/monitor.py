"""Watching for a hacked reward: what training never sees, on fixed prompts and noise, every so many iterations."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.train.metrics import Row
from worldr1.train.rollout import InitialNoise, sample
from worldr1.types import Prompt, Rollout
from worldr1.video_write import write_video

Measure = Callable[[Sequence[Rollout]], Mapping[str, Tensor]]
HELD_OUT = "held_out"  # the measure that must not fall: higher is better
DEFAULT_FLOORS = {"motion": 0.7, "sharpness": 0.7, "prompt_agreement": 0.85, "diversity": 0.6}
_SIGNIFICANT = 2.0  # standard errors


class HackedRewardError(ValueError):
    """The policy earns its reward without what the reward stands for."""


class HackedRewardWarning(UserWarning):
    """As `HackedRewardError`, where the run goes on."""


class Monitor(Protocol):
    """Asked before the first iteration and after every ``every``; the policy then holds the averaged weights."""

    @property
    def every(self) -> int: ...

    def start(self, policy: DiffusersPolicy) -> dict[str, Tensor]:
        """What is remembered of the base policy; saved with the run."""

    def check(self, policy: DiffusersPolicy, base: Mapping[str, Tensor], rows: Sequence[Row]) -> dict[str, Any]:
        """What goes into the last of ``rows``: ``monitor/<name>`` and ``alarms``, a list of messages."""

    def react(self, alarms: Sequence[str]) -> None:
        """Warn, or raise `HackedRewardError`; the run's state is saved by then."""


@dataclass(frozen=True)
class HackMonitor:
    """Alarms when the training reward rises while the held-out measure falls, or a quality drops below its floor.

    ``measure`` gives values per rollout ``[n]``, among them ``held_out`` (higher is better); it comes from the
    caller, since training must not know the instruments it is judged by. Diversity, the mean absolute pixel
    difference between the samples of a prompt, is added here. Floors are shares of the base policy's mean.
    """

    measure: Measure
    prompts: Sequence[Prompt]
    every: int = 20
    samples: int = 2  # per prompt
    seed: int = 70_000_000
    on_hack: Literal["stop", "warn"] = "warn"
    floors: Mapping[str, float] = field(default_factory=lambda: DEFAULT_FLOORS)
    videos: Path | None = None  # folder for the videos of the first prompts
    num_videos: int = 4
    initial: InitialNoise | None = None

    def start(self, policy: DiffusersPolicy) -> dict[str, Tensor]:
        with policy.reference():
            return self._look(policy, 0)

    def check(self, policy: DiffusersPolicy, base: Mapping[str, Tensor], rows: Sequence[Row]) -> dict[str, Any]:
        now = self._look(policy, len(rows))
        out: dict[str, Any] = {f"monitor/{name}": float(values.mean()) for name, values in now.items()}
        return out | {"alarms": find_alarms(now, base, [r["reward"] for r in rows], self.every, self.floors)}

    def react(self, alarms: Sequence[str]) -> None:
        if not alarms:
            return
        message = "the reward is being hacked: " + "; ".join(alarms)
        if self.on_hack == "stop":
            raise HackedRewardError(f"{message}. The run's state is saved; --on-hack warn goes on from there")
        warnings.warn(message, HackedRewardWarning, stacklevel=3)

    def _look(self, policy: DiffusersPolicy, iteration: int) -> dict[str, Tensor]:
        prompts = [p for p in self.prompts for _ in range(self.samples)]
        seeds = [self.seed + 2 * k for k in range(len(prompts))]
        rollouts = sample(policy, prompts, seeds, initial=self.initial).rollouts
        found = {name: values.float() for name, values in self.measure(rollouts).items()}
        if HELD_OUT not in found:
            raise ValueError(f"a monitor's measure must contain {HELD_OUT!r}, not only {', '.join(found)}")
        if self.samples > 1:
            found["diversity"] = diversity(torch.stack([r.clip.video for r in rollouts]), self.samples)
        if self.videos is not None:
            for k, rollout in enumerate(rollouts[:: self.samples][: self.num_videos]):
                folder = self.videos / f"{iteration:06d}"
                folder.mkdir(parents=True, exist_ok=True)
                write_video(rollout.clip.video, rollout.clip.fps, folder / f"{k}.mp4")
        return found


def diversity(video: Tensor, samples: int) -> Tensor:
    """Mean absolute difference between the ``samples`` videos of each prompt: ``[prompts]`` from ``[n, ...]``."""
    groups = video.unflatten(0, (-1, samples)).flatten(2)
    pairs = torch.combinations(torch.arange(samples))
    difference: Tensor = groups[:, pairs[:, 0]] - groups[:, pairs[:, 1]]
    return difference.abs().mean((1, 2))


def find_alarms(
    now: Mapping[str, Tensor],
    base: Mapping[str, Tensor],
    rewards: Sequence[float],
    every: int,
    floors: Mapping[str, float],
) -> list[str]:
    """Messages, empty when all is well.

    The held-out measure is paired by prompt and noise; the reward's last ``every`` iterations are compared with its
    first. Both changes must exceed two standard errors.
    """
    alarms = []
    drop = base[HELD_OUT] - now[HELD_OUT]
    first, last = torch.tensor(rewards[:every]), torch.tensor(rewards[-every:])
    if len(rewards) >= 2 * every and _exceeds(drop) and _exceeds(last - first.mean(), first):
        alarms.append(
            f"the training reward rose from {first.mean():.3f} to {last.mean():.3f} while the held-out measure fell "
            f"from {base[HELD_OUT].mean():.3f} to {now[HELD_OUT].mean():.3f}"
        )
    for name, share in floors.items():
        if name in now and now[name].mean() < share * base[name].mean():
            alarms.append(
                f"{name} is {now[name].mean() / base[name].mean():.2f} of the base's, below its floor {share}"
            )
    return alarms


def _exceeds(change: Tensor, other: Tensor | None = None) -> bool:
    """Whether a mean change is above zero by two standard errors (of both samples, where there is another)."""
    variance = change.var() / len(change) if len(change) > 1 else torch.zeros(())
    if other is not None and len(other) > 1:
        variance = variance + other.var() / len(other)
    return bool(change.mean() > _SIGNIFICANT * variance.sqrt())
