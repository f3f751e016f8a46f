"""The rewards that `worldr1 validate-rewards` puts to the test. The bench itself takes any callable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import torch

from worldr1.estimators.registry import make_depth, make_flow, on_gpu
from worldr1.evaluate.bench.config import CALIBRATION_SEED, BenchConfig
from worldr1.evaluate.bench.oracle import Oracle
from worldr1.evaluate.bench.shown import Shown, render
from worldr1.rewards.classical.stream import measure_stream
from worldr1.rewards.classical.terms import score_measured
from worldr1.rewards.composite import WorldReward, aggregate
from worldr1.rewards.evidence import DepthEstimator, FlowEstimator
from worldr1.rewards.general import GENERAL, OF_OBJECTS, typical_of
from worldr1.rewards.guards import floor_from, floor_guard, motion, sharpness, textured_motion
from worldr1.rewards.stack import TERMS
from worldr1.types import Clip, Prompt, Rollout, Score
from worldr1.worlds.filmed import PATHS, film, world

RewardFunction = Callable[[Sequence[Rollout | Clip]], list[Score]]
Combine = Callable[[Mapping[str, float | None]], float | None]

_CALIBRATION_WORLDS = 4
# of the clean clips' mean: plain worlds have a quarter of the sharpness, what is hardly a picture still less
_SHARPNESS, _MOTION = 0.1, 0.3


@dataclass(frozen=True)
class Judge:
    """A reward under test."""

    name: str
    reward: RewardFunction
    combine: Combine = aggregate  # parts to value, for leaving terms out
    learn: Callable[[Sequence[Shown]], None] | None = None  # is shown the truth of a batch before it is scored


def answer(shown: Shown, asked: Shown, path: str, movers: tuple[str, ...] = ()) -> Rollout:
    """A clip as the answer to a prompt that asks for the camera of ``asked``, and for ``movers`` or a world at rest."""
    facts = {"camera": path, "movers": list(movers)}
    return Rollout(Prompt(f"the camera moves: {path}", asked.truth.camera, path, 0, facts), shown.clip, ())


def _reward(config: BenchConfig, depth: DepthEstimator, flow: FlowEstimator) -> WorldReward:
    """All terms of a stack, and the guards with their floors taken from clean clips."""
    general = config.stack == "general"
    terms = dict(GENERAL if general else TERMS)
    plain = WorldReward(terms, depth, flow)  # guards look at the picture and its flow alone
    worlds = [world(CALIBRATION_SEED, i, config.num_frames) for i in range(_CALIBRATION_WORLDS)]
    filmed = [(path, replace(w, camera=film(w, path))) for w in worlds for path in PATHS]
    clean = render([scene for _, scene in filmed], config.size, config.size)
    prompted = [answer(s, s, path) for s, (path, _) in zip(clean, filmed, strict=True)]
    evidence = plain.evidence(prompted)
    # the tiny stack is judged as it trains
    guards = (("sharpness", sharpness, _SHARPNESS), ("motion", textured_motion if general else motion, _MOTION))
    for name, measure, share in guards:
        floor = floor_from(measure(evidence), [r.prompt for r in prompted], "camera", share)
        terms[name] = floor_guard(measure, floor)
    return WorldReward(terms, depth, flow, refine_camera=general, both_hands=general, typical=_typical(config))


def _typical(config: BenchConfig) -> Mapping[str, float] | None:
    return typical_of(config.depth, config.flow) if config.stack == "general" else None


@cache  # both judges need it, and calibration takes seconds
def _on_estimates(config: BenchConfig) -> WorldReward:
    general = config.stack == "general"
    depth, flow = (config.depth, config.flow) if general else ("tiny", "dis")
    return _reward(config, on_gpu(make_depth(depth)), on_gpu(make_flow(flow)))


def combine_of(name: str, config: BenchConfig) -> Combine:
    """How the judge of a name puts parts together; true measurements have other typical values, which are not known."""
    return partial(aggregate, typical=_typical(config)) if name == "estimated" else aggregate


def _estimated(config: BenchConfig) -> Judge:
    return Judge("estimated", _on_estimates(config), combine_of("estimated", config))


def _oracle(config: BenchConfig) -> Judge:
    plain = _on_estimates(config)
    oracle = Oracle(plain.depth, plain.flow)
    general = config.stack == "general"
    terms = plain.terms | (OF_OBJECTS if general else {})
    segments = oracle.segments if general else None
    reward = WorldReward(terms, oracle.depth, oracle.flow, segments, refine_camera=general)
    return Judge("oracle", reward, learn=oracle.learn)


def _classical(config: BenchConfig) -> Judge:  # noqa: ARG001 - all are made alike
    return Judge("classical", classical_reward)


def classical_reward(samples: Sequence[Rollout | Clip]) -> list[Score]:
    """The terms for any footage: SIFT and epipolar geometry, no weights."""
    clips = [s.clip if isinstance(s, Rollout) else s for s in samples]
    videos = [(c.video * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy() for c in clips]
    return [score_measured(measure_stream(video)) for video in videos]


JUDGES: Mapping[str, Callable[[BenchConfig], Judge]] = {
    "oracle": _oracle,
    "estimated": _estimated,
    "classical": _classical,
}
