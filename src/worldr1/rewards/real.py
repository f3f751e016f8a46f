"""The reward of a published model: the networks of a stack, their terms, and floors at the base model's level."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch

from worldr1.estimators.judge import Judge
from worldr1.estimators.perceptual import FeatureDistance
from worldr1.estimators.registry import (
    make_camera,
    make_depth,
    make_flow,
    make_judge,
    make_perceptual,
    make_segments,
    on_gpu,
)
from worldr1.estimators.structure import CameraEstimator
from worldr1.rewards import guards
from worldr1.rewards.composite import WorldReward
from worldr1.rewards.downscaled import Downscaled, shrink, shrink_clip
from worldr1.rewards.evidence import DepthEstimator, FlowEstimator, SegmentEstimator
from worldr1.rewards.general import GENERAL, MEASURES, OF_OBJECTS, typical_of
from worldr1.rewards.held_out_view import Perceptual, held_out_view
from worldr1.rewards.published import Part, RewardStack
from worldr1.rewards.reappearance import reappearance
from worldr1.rewards.semantic import calibrate, semantic
from worldr1.rewards.sfm import sfm_term
from worldr1.rewards.stack import TERMS
from worldr1.rewards.term import Term
from worldr1.rewards.traceable import where_traceable
from worldr1.types import Clip, Prompt, Rollout


@dataclass(frozen=True)
class Networks:
    """A stack's estimators, loaded."""

    depth: DepthEstimator
    flow: FlowEstimator
    perceptual: Perceptual | None
    judge: Judge | None
    camera: CameraEstimator | None
    segments: SegmentEstimator | None


@dataclass(frozen=True)
class Level:
    """What the base model's own clips reach: the guards' floors and the judge's answers."""

    floors: Mapping[str, float]  # mean of each of `MEASURES`
    answers: Mapping[str, float] = field(default_factory=dict)  # of the judge, by prompt

    def answer(self, prompt: Prompt) -> float:
        """The judge's answer about the base model's sample, or about its samples on the whole.

        A group of samples shares its prompt, so that for an unknown one the level only moves the group's mean.
        """
        return self.answers.get(prompt.text, sum(self.answers.values()) / max(1, len(self.answers)))


@cache
def load_networks(stack: RewardStack) -> Networks:
    """The estimators of a stack, on the GPU where there is one; loaded once in a process.

    Raises ``ValueError`` that names the part which cannot be loaded.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    depth, flow = _load(stack, "depth", make_depth), _load(stack, "flow", make_flow)
    perceptual = _load(stack, "features", make_perceptual) if stack.features else None
    judge = _load(stack, "judge", lambda m: make_judge(m, device)) if stack.judge else None
    camera = _load(stack, "camera", make_camera) if stack.camera else None
    segments = _load(stack, "segments", make_segments) if stack.segments else None
    for part in (depth, flow, perceptual, segments):
        on_gpu(part)
    return Networks(depth, flow, perceptual, judge, camera, segments)


def _load(stack: RewardStack, name: str, make: Callable[[str], Any]) -> Any:
    part: Part = getattr(stack, name)
    try:
        return make(part.model)
    except (OSError, ImportError, ValueError) as error:
        # the packaged stack can do without a stack's own parts, and takes none of the others
        chosen = name in ("judge", "camera", "segments")
        way = f"leave --{name} out" if chosen else "--reward-stack packaged needs nothing from elsewhere"
        raise ValueError(
            f"the reward stack {stack.name} cannot load its {name}, {part.model}: {error}; {way}"
        ) from error


def term_names(stack: RewardStack) -> list[str]:
    """The terms that the reward of a stack has."""
    added = [name for name, there in (("semantic", stack.judge is not None), ("sfm", stack.reconstructs)) if there]
    objects = OF_OBJECTS if stack.segments else ()
    return [*(GENERAL if stack.general else TERMS), *objects, *added, *MEASURES]


def make_real_reward(stack: RewardStack, level: Level) -> Downscaled:
    """The reward of a stack with its guards' floors at the base model's level; raises as `load_networks` does."""
    networks = load_networks(stack)
    terms: dict[str, Term] = dict(GENERAL if stack.general else TERMS)
    if networks.segments is not None:
        terms |= OF_OBJECTS
        if isinstance(networks.perceptual, FeatureDistance) and "reappearance" in terms:
            terms["reappearance"] = where_traceable(reappearance(networks.perceptual.features))
    if networks.perceptual is not None:
        terms["held_out_view"] = held_out_view(networks.perceptual)
    if networks.judge is not None:
        terms["semantic"] = semantic(networks.judge, level.answer)
    if stack.reconstructs:
        terms["sfm"] = sfm_term
    for name, measure in MEASURES.items():
        terms[name] = guards.floor_guard(measure, guards.Floor(default=level.floors[name]))
    reward = WorldReward(
        terms,
        networks.depth,
        networks.flow,
        networks.segments,
        refine_camera=stack.general,
        camera=networks.camera,
        both_hands=stack.general,
        typical=typical_of(stack.depth.model, stack.flow.model)
        if stack.general and networks.perceptual is None
        else None,
    )
    return Downscaled(reward, stack.short_side)


def level_of(stack: RewardStack, prompts: Sequence[Prompt], clips: Sequence[Clip]) -> Level:
    """What the base model's clips of these prompts reach, one clip at a time."""
    networks = load_networks(stack)
    looks = WorldReward(
        {"motion": guards.floor_guard(MEASURES["motion"], guards.Floor())}, networks.depth, networks.flow
    )
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    for prompt, clip in zip(prompts, clips, strict=True):
        evidence = looks.evidence([shrink(Rollout(prompt, clip, ()), stack.short_side)])
        for name, measure in MEASURES.items():
            found[name].append(float(measure(evidence)))
    answers = {}
    if networks.judge is not None:
        videos = {p.text: shrink_clip(c, stack.short_side).video for p, c in zip(prompts, clips, strict=True)}
        answers = calibrate(networks.judge, videos)
    return Level({name: sum(values) / len(values) for name, values in found.items()}, answers)
