"""Corpora: clip ``index`` of a corpus is the same on every machine, whatever else is rendered with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np

from worldr1.types import Prompt
from worldr1.worlds.tiny.captions import caption, facts
from worldr1.worlds.tiny.families import FAMILIES
from worldr1.worlds.tiny.render import camera_of, render
from worldr1.worlds.tiny.scene import TinyScene
from worldr1.worlds.tiny.violations import KINDS, violate


@dataclass(frozen=True)
class CorpusConfig:
    """What a corpus contains; the same values give the same clips."""

    seed: int = 0
    num_frames: int = 9
    size: int = 32
    violated: float = 0.5  # share of clips with a violation
    occluder: float = 0.3  # share of the occluder family; the rest is landmarks


def scene_at(config: CorpusConfig, index: int) -> TinyScene:
    """Scene ``index`` of a corpus, from its own random generator."""
    rng = np.random.default_rng((config.seed, index))
    family = "occluder" if rng.random() < config.occluder else "landmarks"
    scene = FAMILIES[family](rng, config.num_frames)
    if rng.random() < config.violated:
        violate(rng, scene, str(rng.choice(list(KINDS))))
    return scene


def prompt_at(config: CorpusConfig, index: int) -> Prompt:
    """The prompt that scene ``index`` answers."""
    scene = scene_at(config, index)
    return Prompt(caption(scene), camera_of(scene, config.size), scene.family, index, facts(scene))


@dataclass(frozen=True)
class Corpus:
    """Rendered clips as arrays, with what training needs to know about each."""

    video: np.ndarray[Any, np.dtype[np.uint8]]  # [clips, frames, h, w, 3]
    depth_m: np.ndarray[Any, np.dtype[np.float16]]  # [clips, frames, h, w], inf for the sky
    captions: list[str]
    facts: list[dict[str, object]]
    violations: list[str]  # kind, or "" for a clean clip


def _chunk(config: CorpusConfig, start: int, stop: int) -> Corpus:
    scenes = [scene_at(config, i) for i in range(start, stop)]
    out = render(scenes, config.size)
    return Corpus(
        out.rgb,
        out.depth_m.astype(np.float16),
        [caption(s) for s in scenes],
        [facts(s) for s in scenes],
        [s.violation for s in scenes],
    )


def _join(parts: Sequence[Corpus]) -> Corpus:
    return Corpus(
        np.concatenate([p.video for p in parts]),
        np.concatenate([p.depth_m for p in parts]),
        [c for p in parts for c in p.captions],
        [f for p in parts for f in p.facts],
        [v for p in parts for v in p.violations],
    )


def render_corpus(
    config: CorpusConfig,
    start: int,
    stop: int,
    *,
    workers: int = 1,
    progress: Callable[[int], None] = lambda _: None,
    chunk: int = 256,
) -> Corpus:
    """Render clips ``start`` to ``stop`` of a corpus; ``progress`` is told how many more are done.

    The result does not depend on ``workers`` (processes; Warp's CPU kernels run on one core each).
    """
    bounds = [(i, min(i + chunk, stop)) for i in range(start, stop, chunk)]
    parts = []
    if workers <= 1:
        for a, b in bounds:
            parts.append(_chunk(config, a, b))
            progress(b - a)
        return _join(parts)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_chunk, config, a, b) for a, b in bounds]
        for (a, b), future in zip(bounds, futures, strict=True):
            parts.append(future.result())
            progress(b - a)
    return _join(parts)
