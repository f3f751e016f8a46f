"""Mirror images: a world is as consistent left-handed as right-handed, and estimators err differently about it."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from worldr1.types import CameraPath, Clip, Rollout, Score


def mirrored_camera(camera: CameraPath, width: int) -> CameraPath:
    """The camera that takes the mirror image, of pictures ``width`` pixels wide."""
    flip = torch.diag(camera.c2w.new_tensor([-1.0, 1.0, 1.0, 1.0]))
    K = camera.K.clone()
    K[:, 0, 2] = width - K[:, 0, 2]
    return CameraPath(flip @ camera.c2w @ flip, K)


def mirrored(sample: Rollout | Clip) -> Rollout | Clip:
    """The sample with left and right exchanged, also in its prompt's camera; its truth is left out."""
    if isinstance(sample, Clip):
        return Clip(sample.video.flip(-1), sample.fps)
    prompt, clip = sample.prompt, Clip(sample.clip.video.flip(-1), sample.clip.fps)
    if prompt.camera is not None:
        prompt = replace(prompt, camera=mirrored_camera(prompt.camera, clip.video.shape[-1]))
    return Rollout(prompt, clip, ())


def mean_part(a: float | None, b: float | None) -> float | None:
    """Geometric mean of what a term says of a clip and of its mirror image; where it is silent about one, the other."""
    if a is None or b is None:
        return b if a is None else a
    return math.sqrt(a * b)


def merged_parts(own: Score, image: Score) -> tuple[dict[str, float | None], dict[str, str]]:
    """Parts of both, and the notes on what neither has; ``image`` may lack terms of ``own``."""
    parts = {name: mean_part(value, image.parts.get(name)) for name, value in own.parts.items()}
    return parts, {name: note for name, note in own.notes.items() if parts[name] is None}
