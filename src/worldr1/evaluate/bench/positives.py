"""Honest clips that are easily mistaken for broken ones: a reward must not punish them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from worldr1.evaluate.bench.edits import SceneEdit
from worldr1.evaluate.bench.honest_movers import pedestrian, rigid_mover
from worldr1.evaluate.bench.image_corruptions import ClipEdit
from worldr1.evaluate.bench.shown import Shown
from worldr1.worlds.assets.surfaces import untextured, with_surfaces
from worldr1.worlds.camera import camera_track
from worldr1.worlds.families.stage import turn, vec3
from worldr1.worlds.filmed import FOCAL_MM, distance_to_focus, focus
from worldr1.worlds.scene import Floats, Move, NoPlaceError, Scene

_FASTER = 1.8
_FORWARD, _LEAST_FORWARD = 0.5, 0.2  # of the distance to the objects
_CLEARANCE = 0.15  # of it, from every object: nearer, a thing that fills the picture is passed in one step
_STEPS = 40  # of a way on which its end is looked for


def _refilm(scene: Scene, moves: list[Move]) -> Scene:
    eye, target = scene.camera.c2w[0, :3, 3], focus(scene)
    camera = camera_track(moves, scene.num_frames, eye_m=vec3(eye), target_m=vec3(target), focal_mm=FOCAL_MM)
    return replace(scene, camera=camera)


def specular(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:  # noqa: ARG001
    """Highlights that wander over polished surfaces."""
    return with_surfaces(scene, gloss=0.9)


def low_texture(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:  # noqa: ARG001
    """Everything in plain colours, the ground too."""
    return untextured(scene)


def fast_motion(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:  # noqa: ARG001
    """The camera moves 1.8 times as far."""
    return _refilm(scene, [replace(m, magnitude=_FASTER * m.magnitude) for m in scene.camera.moves])


def forward_motion(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:  # noqa: ARG001
    """The camera drives towards the objects, and past none of them: everything grows, and its depth changes.

    Raises ``NoPlaceError`` where one is in the way.
    """
    distance, eye = distance_to_focus(scene), scene.camera.c2w[0, :3, 3]
    shares = np.linspace(0, _FORWARD, _STEPS)
    way = eye + shares[:, None] * (focus(scene) - eye)
    near = np.min([_from_box(scene, i, way) for i in range(len(scene.objects))], axis=0) < _CLEARANCE * distance
    free = shares[np.argmax(near) - 1] if near[1:].any() else _FORWARD
    if near[0] or free < _LEAST_FORWARD:
        raise NoPlaceError("an object is too near for the camera to drive forward; choose another scene or path")
    return _refilm(scene, [Move("dolly in", 0.0, 1.0, free * distance, "smooth")])


def _from_box(scene: Scene, instance: int, places: Floats) -> Floats:
    """Distances ``[n]`` in metres of ``places`` ``[n, 3]`` from an object's box, as it stands in the first frame."""
    body = scene.bodies_of(instance)[0]
    local = turn(scene.rotation[0, body] * [-1, -1, -1, 1], places - scene.position_m[0, body])
    outside = np.maximum(np.abs(local) - np.divide(scene.objects[instance].size_m, 2), 0)
    distances: Floats = np.linalg.norm(outside, axis=-1)
    return distances


def lighting_change(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:  # noqa: ARG001
    """A warm light sweeps slowly over the scene, by a quarter."""
    frames, _, _, width = shown.clip.video.shape
    where = torch.linspace(-1, 1, width) - torch.linspace(-1.2, 1.2, frames)[:, None]
    sweep = 0.25 * torch.exp(-(where**2) / 0.5)[:, None, None]
    tint = torch.tensor([1.0, 0.85, 0.6]).view(1, 3, 1, 1)
    return shown.with_video(shown.clip.video * (1 + sweep * tint))


def exposure_drift(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:  # noqa: ARG001
    """Brightness drifts by a third over the clip, up or down."""
    end = 1.35 if rng.random() < 0.5 else 0.7
    gain = torch.linspace(1, end, len(shown.clip.video)).view(-1, 1, 1, 1)
    return shown.with_video(shown.clip.video * gain)


SCENE_POSITIVES: Mapping[str, SceneEdit] = {
    "specular": specular,
    "low texture": low_texture,
    "fast motion": fast_motion,
    "forward motion": forward_motion,
    "rigid movers": rigid_mover,
    "articulated motion": pedestrian,
}
CLIP_POSITIVES: Mapping[str, ClipEdit] = {"lighting change": lighting_change, "exposure drift": exposure_drift}
