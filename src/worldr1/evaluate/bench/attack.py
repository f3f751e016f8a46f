"""Optimise against a reward: does its best clip, among honest and cheating ones, really show a consistent world?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from worldr1.evaluate.bench.bench import clean_scene
from worldr1.evaluate.bench.camera_corruptions import slowed
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.corruptions import morph, size_pumping, texture_swim
from worldr1.evaluate.bench.image_corruptions import global_rubber, growing_blur
from worldr1.evaluate.bench.judges import Judge, answer
from worldr1.evaluate.bench.shown import Shown, render
from worldr1.worlds.scene import NoPlaceError, Scene

Floats = npt.NDArray[np.float64]

KNOBS = ("camera speed", "morph", "size pumping", "texture swim", "rubber", "blur")
_PATHS = ("orbit", "truck", "boom")


@dataclass(frozen=True)
class AttackConfig:
    """The cross-entropy method (Rubinstein 1999): a Gaussian over the knobs, drawn towards its best samples."""

    scenes: int = 3
    population: int = 16
    elites: int = 4
    iterations: int = 8
    smoothing: float = 0.3  # share of the old Gaussian that is kept
    most_cheating: float = 0.15  # mean over the cheating knobs, of the severity "2", that still counts as consistent
    least_speed: float = 0.5  # of the path that was asked for


@dataclass(frozen=True)
class Found:
    """Where the search ended."""

    knobs: dict[str, float]  # camera speed: share of the path that was asked for; others: 0 is honest, 1 severity 2
    score: float
    honest_score: float  # with the camera at full speed and nothing broken
    consistent: bool  # hardly any cheating, and the camera moves; or the honest clip is liked at least as well


def _clips(scenes: Sequence[tuple[str, Scene]], knobs: Floats, size: int) -> list[Shown]:
    """The scenes with all knobs ``[6]`` applied, the same draws for all values of them."""
    speed, morphing, pumping, swimming, wobble, blur = (float(k) for k in knobs)
    edited = []
    for index, (_, scene) in enumerate(scenes):
        rng = np.random.default_rng(index)
        broken = texture_swim(size_pumping(morph(scene, rng, morphing), rng, pumping), rng, swimming)
        edited.append(slowed(broken, speed))
    out = []
    for index, shown in enumerate(render(edited, size, size)):
        rng = np.random.default_rng(index)
        out.append(growing_blur(global_rubber(shown, rng, wobble), rng, blur))
    return out


def attack(judge: Judge, bench: BenchConfig, config: AttackConfig | None = None, seed: int = 0) -> Found:
    """Search the knobs for what the reward likes best, from a Gaussian in the middle of their ranges.

    A clip on which the reward abstains counts as the worst there is. Raises ``ValueError`` when it abstains on all
    honest clips.
    """
    config = config or AttackConfig()
    scenes = _scenes(bench, config.scenes)
    asked = render([scene for _, scene in scenes], bench.size, bench.size)

    def told(knobs: Floats) -> list[float | None]:
        clips = _clips(scenes, knobs, bench.size)
        if judge.learn is not None:
            judge.learn(clips)
        samples = [answer(c, a, path) for c, a, (path, _) in zip(clips, asked, scenes, strict=True)]
        return [s.value for s in judge.reward(samples)]

    def score(values: Sequence[float | None]) -> float:
        return float(np.mean([0.0 if v is None else v for v in values]))

    honest = told(np.array([1.0, 0, 0, 0, 0, 0]))
    if all(v is None for v in honest):
        raise ValueError(f"{judge.name} has no score for any honest clip; nothing can be searched by it")
    honest_score = score(honest)
    rng = np.random.default_rng(seed)
    mean, deviation = np.full(len(KNOBS), 0.5), np.full(len(KNOBS), 0.4)
    best, best_score = mean, -np.inf
    for _ in range(config.iterations):
        drawn = np.clip(mean + deviation * rng.normal(size=(config.population, len(KNOBS))), 0, 1)
        scores = np.array([score(told(k)) for k in drawn])
        order = np.argsort(-scores)[: config.elites]
        if scores[order[0]] > best_score:
            best, best_score = drawn[order[0]], float(scores[order[0]])
        elites = drawn[order]
        mean = config.smoothing * mean + (1 - config.smoothing) * elites.mean(0)
        deviation = config.smoothing * deviation + (1 - config.smoothing) * elites.std(0) + 0.01
    fair = best[1:].mean() <= config.most_cheating and best[0] >= config.least_speed
    consistent = bool(fair or honest_score >= best_score)
    return Found(dict(zip(KNOBS, best.tolist(), strict=True)), best_score, honest_score, consistent)


def _scenes(bench: BenchConfig, count: int) -> list[tuple[str, Scene]]:
    """Worlds that have something to break in view."""
    found: list[tuple[str, Scene]] = []
    for index in range(10 * count):
        path = _PATHS[len(found) % len(_PATHS)]
        scene = clean_scene(replace(bench, seed=bench.seed + 1), index, path)
        try:
            morph(scene, np.random.default_rng(0), 1.0)
        except NoPlaceError:
            continue
        found.append((path, scene))
        if len(found) == count:
            return found
    raise ValueError(f"only {len(found)} of {10 * count} worlds have an object in view; use other seeds")
