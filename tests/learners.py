"""What the tests of training share: rewards a toy can learn, its prompts, and its weights as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from toys import TEXTS
from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.train.advantage import TermWeight
from worldr1.train.config import TrainConfig
from worldr1.types import Clip, Prompt, Rollout, Score

CONFIG = TrainConfig(
    iterations=4, prompts=2, group=4, lora_rank=4, checkpoint_every=1, weights={"bright": TermWeight(1.0, floor=0.001)}
)


class Brightness:
    """Pays for bright pictures; differentiable."""

    differentiable = True

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        clips = [s.clip if isinstance(s, Rollout) else s for s in samples]
        values = [float(c.video.mean()) for c in clips]
        return [Score(v, {"bright": v}) for v in values]

    def values(self, video: Tensor, prompts: Sequence[Prompt]) -> Tensor:
        assert len(video) == len(prompts)
        return video.mean((1, 2, 3, 4))


class PlainBrightness(Brightness):
    differentiable = False


def prompt(index: int) -> Prompt:
    return Prompt(TEXTS[index % len(TEXTS)])


def lora(policy: DiffusersPolicy) -> Tensor:
    return torch.cat([p.detach().flatten() for p in policy.trainable()])


def without_times(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in r.items() if not k.startswith("seconds")} for r in rows]
