"""Named configurations of the published models: what of the paper's settings holds, corrected where it was wrong.

As in World-R1: LoRA of rank 32 with alpha 64 on the attention projections, learning rate 1e-4, 480x832x81 for Wan.
Corrected: groups of 8 (the released code's groups of 2 leave only the sign of a difference), drawn steps in a window
(its solver is deterministic), no guidance while training (which trains the guidance in, at half the evaluations).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from worldr1.plan import Job
from worldr1.policies.diffusers_policy import Memory
from worldr1.policies.published import PUBLISHED
from worldr1.policies.registry import policy_class, policy_for
from worldr1.policies.sde import SamplerConfig
from worldr1.rewards.published import STACKS, RewardStack
from worldr1.rewards.real import term_names
from worldr1.rewards.spec import spec_of
from worldr1.train.advantage import TermWeight
from worldr1.train.config import TrainConfig, default_weights

_GUARD = TermWeight(2.5, floor=0.05, guard=True)
_WEIGHTS = {
    **default_weights(),
    "photometric": TermWeight(0.5),
    "detail": TermWeight(0.5),
    "sfm": TermWeight(0.5, geometric=True),  # of honest clips too some register hardly any frame
    "volume": TermWeight(0.5, geometric=True),  # estimated depth changes an object's size by as much as pumping does
    "semantic": TermWeight(0.5, floor=0.05),
    "parallax": TermWeight(0.2, floor=0.1, geometric=True),
}


def weights_of(stack: RewardStack) -> dict[str, TermWeight]:
    """How much each term of a reward stack counts in training; those without an entry above count like depth."""
    out = {}
    for name in term_names(stack):
        guard = spec_of(name).kind == "guard"
        out[name] = _GUARD if guard else _WEIGHTS.get(name, TermWeight(1.0, geometric=True))
    return out


@dataclass(frozen=True)
class RealPreset:
    """A run on a published model."""

    model: str  # key into `PUBLISHED`
    num_frames: int
    height: int
    width: int
    sampler: SamplerConfig = field(default_factory=lambda: SamplerConfig(steps=20, window=2, window_end=10))
    eval_sampler: SamplerConfig = field(default_factory=lambda: SamplerConfig(steps=30, guidance=5.0))
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            iterations=150,
            prompts=4,
            lr=1e-4,
            clip=1e-3,
            kl_weight=0.004,
            lora_rank=32,
            checkpoint_every=5,
            weights=weights_of(STACKS["default"]),
        )
    )
    memory: Memory = field(default_factory=lambda: Memory(checkpoint=True, replay_batch=4))
    num_eval: int = 32  # held-out prompts
    stack: RewardStack = STACKS["default"]  # with the weights of its terms in `train`: see `with_stack`

    @property
    def hub(self) -> str:
        return PUBLISHED[self.model].hub

    def job(self) -> Job:
        """What `make_plan` needs."""
        return Job(
            self.num_frames,
            self.height,
            self.width,
            self.sampler,
            self.train.prompts,
            self.train.group,
            self.train.iterations,
            self.train.lora_rank,
            memory=self.memory,
            eight_bit=self.train.optimizer == "adamw8bit",
        )


_LEAN = Memory(checkpoint=True, replay_batch=1, offload=True, tiling=True)

REAL_PRESETS: dict[str, RealPreset] = {
    "wan-1.3b": RealPreset("wan-1.3b", 81, 480, 832),
    "wan-1.3b-24gb": RealPreset("wan-1.3b", 81, 480, 832, memory=_LEAN),
    "wan-5b": RealPreset("wan-5b", 121, 704, 1280, memory=_LEAN),
    "wan-14b": RealPreset("wan-14b", 81, 480, 832, memory=_LEAN),
    "wan2.2-14b": RealPreset(
        "wan2.2-14b", 81, 480, 832, eval_sampler=SamplerConfig(steps=40, guidance=4.0), memory=_LEAN
    ),
    "ltx-2b": RealPreset("ltx-2b", 121, 512, 704, eval_sampler=SamplerConfig(steps=40, guidance=3.0)),
    "ltx-2b-24gb": RealPreset(
        "ltx-2b", 121, 512, 704, eval_sampler=SamplerConfig(steps=40, guidance=3.0), memory=_LEAN
    ),
    "cogvideox-5b": RealPreset("cogvideox-5b", 49, 480, 720, eval_sampler=SamplerConfig(steps=50, guidance=6.0)),
    "cogvideox-5b-24gb": RealPreset(
        "cogvideox-5b", 49, 480, 720, eval_sampler=SamplerConfig(steps=50, guidance=6.0), memory=_LEAN
    ),
    # guidance is distilled into it
    "hunyuanvideo": RealPreset("hunyuanvideo", 61, 544, 960, eval_sampler=SamplerConfig(steps=30), memory=_LEAN),
}


def get_real_preset(name: str) -> RealPreset:
    """A preset by name; raises ``ValueError`` that suggests the nearest one."""
    if name not in REAL_PRESETS:
        close = get_close_matches(name, REAL_PRESETS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(REAL_PRESETS)}"
        raise ValueError(f"unknown preset {name!r}: {hint}")
    return REAL_PRESETS[name]


def preset_for(model: str) -> RealPreset:
    """The preset that suits a hub id or directory: its own, or the first of its pipeline's class.

    Raises ``ValueError`` for pipelines that worldr1 does not run.
    """
    for preset in REAL_PRESETS.values():
        if preset.hub == model:
            return preset
    wanted = policy_class(model)
    return next(p for p in REAL_PRESETS.values() if policy_for(PUBLISHED[p.model].pipeline) is wanted)


def with_stack(preset: RealPreset, stack: RewardStack) -> RealPreset:
    """The preset with another reward stack, and the weights of its terms."""
    return replace(preset, stack=stack, train=replace(preset.train, weights=weights_of(stack)))


def override(preset: RealPreset, shape: Mapping[str, int | None], train: Mapping[str, Any]) -> RealPreset:
    """The preset with values from the command line; ``None`` leaves the preset's own."""
    changed: dict[str, Any] = {k: v for k, v in shape.items() if v is not None}
    training: dict[str, Any] = {k: v for k, v in train.items() if v is not None}
    return replace(preset, train=replace(preset.train, **training), **changed)
