"""Mirror images: a world is as consistent left-handed as right-handed, and estimators err differently about it."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from worldr1.estimators.structure import Structure
from worldr1.types import CameraPath, Clip, Rollout

NOT_FINITE = "the term is not a finite number on this clip"

Told = tuple[dict[str, float | None], dict[str, str]]  # parts of a clip by term; why those have none that are None


def mirrored_camera(camera: CameraPath, width: int) -> CameraPath:
    """The camera that takes the mirror image, of pictures ``width`` pixels wide."""
    flip = _flip(camera.c2w)
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


def mirrored_structure(structure: Structure) -> Structure:
    """What structure from motion would find of the mirror image: it is slow, and is asked once."""
    flip = _flip(structure.c2w)
    return replace(structure, c2w=flip @ structure.c2w @ flip)


def _flip(like: Tensor) -> Tensor:
    return torch.diag(like.new_tensor([-1.0, 1.0, 1.0, 1.0]))


def mean_part(a: float | None, b: float | None) -> float | None:
    """Geometric mean of what a term says of a clip and of its mirror image; where it is silent about one, the other."""
    if a is None or b is None:
        return b if a is None else a
    return math.sqrt(max(a, 0.0) * max(b, 0.0))


def merged(own: Told, image: Told) -> Told:
    """Parts of both, and the notes on what has none; ``image`` may lack terms of ``own``.

    A term that failed on either is not known, though it may have answered about the other.
    """
    parts: dict[str, float | None] = {}
    notes: dict[str, str] = {}
    for name, value in own[0].items():
        failed = NOT_FINITE in (own[1].get(name), image[1].get(name))
        parts[name] = None if failed else mean_part(value, image[0].get(name))
        if parts[name] is None:
            notes[name] = NOT_FINITE if failed else own[1][name]
    return parts, notes
