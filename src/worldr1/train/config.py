"""The settings of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from worldr1.train.advantage import TermWeight
from worldr1.train.algorithms import GRPO, Algorithm


def default_weights() -> dict[str, TermWeight]:
    return {
        "depth": TermWeight(1.0, geometric=True),
        "flow": TermWeight(1.0, geometric=True),
        "constancy": TermWeight(1.0, geometric=True),
        "camera": TermWeight(0.5, floor=0.1, geometric=True),
        "prompt": TermWeight(0.5, floor=0.05),
        "parallax": TermWeight(0.2, floor=0.1, geometric=True),
        "sharpness": TermWeight(2.5, floor=0.05, guard=True),
        "motion": TermWeight(2.5, floor=0.05, guard=True),
    }


OptimizerName = Literal["adamw", "adamw8bit"]
Placement = Literal["local", "ray"]


@dataclass(frozen=True)
class TrainConfig:
    """A training run, whatever its algorithm."""

    iterations: int = 100
    prompts: int = 8  # per iteration
    group: int = 8  # samples per prompt
    lr: float = 2e-3
    decay: float = 0.4  # share of the iterations, at the end, over which the rate falls to zero
    kl_weight: float = 0.003
    clip: float = 0.01  # of the ratio; log-probabilities are averages over elements, so it is small
    epochs: int = 1  # updates per batch of rollouts
    ema: float = 0.9  # of the LoRA's weights; the averaged ones are the result
    lora_rank: int = 8
    optimizer: OptimizerName = "adamw"  # adamw8bit keeps its moments in bytes and needs bitsandbytes
    checkpoint_every: int = 20
    seed: int = 0
    weights: dict[str, TermWeight] = field(default_factory=default_weights)
    algorithm: Algorithm = field(default_factory=GRPO)
    # the periodic decoupled phase: after every so many iterations a stretch on prompts of moving things with the
    # geometric terms off, so that rigidity is not bought with stillness (World-R1); 0 is never
    dynamic_every: int = 0
    dynamic_length: int = 5
    camera_noise: float = 0.0  # share of the initial noise that follows the prompt's camera; 0 is white noise
    keep_checkpoints: int = 3
    reward_timeout_s: float = 600.0  # for one call of the reward; later answers are not waited for
    rewards: Placement = "local"  # where clips are scored: in this process, or by Ray actors (`train.remote`)
    # threads, or Ray actors, that score groups while the next ones are sampled; a single thread scores the whole batch
    # in one call
    reward_workers: int = 1
    max_masked: float = 0.5  # share of an iteration's samples whose reward may fail before the run stops
    monitor_every: int = 20  # iterations between looks at what training never sees; 0 is never
    trackers: tuple[str, ...] = ()  # what Accelerate knows: tensorboard, wandb, trackio

    def __post_init__(self) -> None:
        if self.group < 2:
            raise ValueError(f"a group of {self.group} has no spread to learn from; use 8 or more")
        if self.optimizer not in get_args(OptimizerName):
            raise ValueError(f"unknown optimizer {self.optimizer!r}; use one of {', '.join(get_args(OptimizerName))}")
        if not 0 <= self.camera_noise <= 1:
            raise ValueError(f"camera_noise is a share between 0 and 1, not {self.camera_noise}")
        if self.dynamic_every < 0 or self.dynamic_length < 1:
            raise ValueError("the decoupled phase needs dynamic_every >= 0 (0 is never) and dynamic_length >= 1")
        if self.keep_checkpoints < 1:
            raise ValueError("keep_checkpoints must be 1 or more, or an interrupted run could not resume")
        if self.rewards not in get_args(Placement):
            raise ValueError(f"unknown place for rewards {self.rewards!r}; use one of {', '.join(get_args(Placement))}")
        if self.rewards == "ray" and self.algorithm.name == "reward_gradient":
            raise ValueError("reward_gradient backpropagates through the reward, in this process; use rewards local")
        if self.reward_workers < 1:
            raise ValueError(f"reward_workers must be 1 or more, not {self.reward_workers}")
        if not 0 < self.max_masked <= 1:
            raise ValueError(f"max_masked is a share above 0 and at most 1, not {self.max_masked}")

    def is_dynamic(self, iteration: int) -> bool:
        """Whether an iteration (from 0) belongs to the decoupled phase."""
        if not self.dynamic_every:
            return False
        return iteration % (self.dynamic_every + self.dynamic_length) >= self.dynamic_every

    def weights_at(self, iteration: int) -> Mapping[str, TermWeight]:
        """The weights in force: without the geometric terms in the decoupled phase."""
        if not self.is_dynamic(iteration):
            return self.weights
        return {k: replace(w, weight=0.0) if w.geometric else w for k, w in self.weights.items()}

    def rate_at(self, iteration: int) -> float:
        """The learning rate: constant, then falling linearly to zero."""
        left = (self.iterations - iteration) / max(1e-9, self.decay * self.iterations)
        return self.lr * min(1.0, left)
