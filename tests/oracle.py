"""Estimators that know the truth: they recognise rendered frames and answer from their `GroundTruth`."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from worldr1.estimators.depth import MAX_DEPTH_M
from worldr1.types import Clip, Prompt, Rollout
from worldr1.worlds.tiny.captions import caption, facts
from worldr1.worlds.tiny.corpus import CorpusConfig, scene_at
from worldr1.worlds.tiny.render import camera_of, render_clips
from worldr1.worlds.tiny.scene import TinyScene
from worldr1.worlds.tiny.violations import violate

PER_FRAME = ("shape", "colour", "half_size_m", "position_m", "yaw_rad", "ground_offset_m", "c2w")


def backwards(scene: TinyScene) -> TinyScene:
    """The same scene with time reversed, for the flow from each frame to the one before it."""
    return replace(scene, **{name: getattr(scene, name)[::-1].copy() for name in PER_FRAME})


def twin(scene: TinyScene, kind: str, seed: int) -> TinyScene:
    """A violated copy of a clean scene."""
    return violate(np.random.default_rng(seed), copy.deepcopy(scene), kind)


def clean_scenes(count: int, *, seed: int = 7, occluder: float = 0.3) -> list[TinyScene]:
    config = CorpusConfig(seed=seed, violated=0.0, occluder=occluder)
    return [scene_at(config, i) for i in range(count)]


def as_rollout(scene: TinyScene, clip: Clip) -> Rollout:
    """A rendered clip with the prompt it answers."""
    size = clip.video.shape[-1]
    return Rollout(Prompt(caption(scene), camera_of(scene, size), scene.family, 0, facts(scene)), clip, ())


def _key(frame: Tensor) -> bytes:
    return frame.contiguous().numpy().tobytes()


class Oracle:
    """Depth and flow of every frame and pair of neighbours that it was shown; ``KeyError`` for any other."""

    def __init__(self) -> None:
        self._depth: dict[bytes, Tensor] = {}
        self._flow: dict[tuple[bytes, bytes], Tensor] = {}

    def learn(self, video: Tensor, depth_m: Tensor, forward_px: Tensor, backward_px: Tensor) -> None:
        """Remember a clip: ``[f, 3, h, w]``, ``[f, h, w]``, twice ``[f-1, h, w, 2]``."""
        keys = [_key(frame) for frame in video]
        self._depth.update(zip(keys, depth_m.clamp(max=MAX_DEPTH_M), strict=True))
        for t in range(len(keys) - 1):
            self._flow[keys[t], keys[t + 1]] = forward_px[t]
            self._flow[keys[t + 1], keys[t]] = backward_px[t]

    def render(self, scenes: Sequence[TinyScene]) -> list[Rollout]:
        """Render scenes and remember their truth."""
        clips = render_clips(scenes)
        for clip, reverse in zip(clips, render_clips([backwards(s) for s in scenes]), strict=True):
            assert clip.truth is not None
            assert reverse.truth is not None
            self.learn(clip.video, clip.truth.depth_m, clip.truth.flow_px, reverse.truth.flow_px.flip(0))
        return [as_rollout(s, c) for s, c in zip(scenes, clips, strict=True)]

    def depth(self, frames: Tensor) -> Tensor:
        return torch.stack([self._depth[_key(f)] for f in frames])

    def flow(self, first: Tensor, second: Tensor) -> Tensor:
        pairs: Iterable[tuple[Tensor, Tensor]] = zip(first, second, strict=True)
        return torch.stack([self._flow[_key(a), _key(b)] for a, b in pairs])
