"""Honest clips that are easily mistaken for broken ones: a reward must not punish them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from worldr1.evaluate.bench.corruptions import SceneEdit, move, ramp
from worldr1.evaluate.bench.image_corruptions import ClipEdit
from worldr1.evaluate.bench.shown import Shown
from worldr1.evaluate.bench.stages import FOCAL_MM, focus, target_of
from worldr1.worlds.assets import ASSETS, COLOURS
from worldr1.worlds.assets.surfaces import untextured, with_surfaces
from worldr1.worlds.camera import camera_track
from worldr1.worlds.families.split import FamilySpec
from worldr1.worlds.families.stage import Stage, compose, vec3, yaw_rotation
from worldr1.worlds.scene import Move, Scene

_FASTER = 1.8
_FORWARD = 0.5  # of the distance to the objects


def _distance(scene: Scene) -> float:
    return float(np.linalg.norm(focus(scene) - scene.camera.c2w[0, :3, 3]))


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
    """The camera drives towards the objects: everything grows, and its depth changes."""
    return _refilm(scene, [Move("dolly in", 0.0, 1.0, _FORWARD * _distance(scene), "smooth")])


def rigid_mover(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:  # noqa: ARG001
    """An object glides over the ground and turns as it goes."""
    instance, angle = target_of(scene, rng), rng.uniform(0, 2 * np.pi)
    way = 0.35 * _distance(scene) * np.array([np.cos(angle), np.sin(angle), 0.0])
    path = ramp(scene.num_frames, 0.0, 1.0)[:, None]
    rotation, position = scene.rotation.copy(), scene.position_m.copy()
    bodies = scene.bodies_of(instance)
    spin = yaw_rotation(1.5 * path)  # [frames, 1, 4]
    rotation[:, bodies] = compose(np.broadcast_to(spin, rotation[:, bodies].shape), rotation[:, bodies])
    centre = position[:, bodies[:1]]
    arm = position[:, bodies] - centre
    turn = np.stack([np.cos(1.5 * path), np.sin(1.5 * path)], axis=-1)  # [frames, 1, 2]
    position[..., bodies, 0] = centre[..., 0] + turn[..., 0] * arm[..., 0] - turn[..., 1] * arm[..., 1]
    position[..., bodies, 1] = centre[..., 1] + turn[..., 1] * arm[..., 0] + turn[..., 0] * arm[..., 1]
    return move(replace(scene, rotation=rotation, position_m=position), instance, path * way)


def pedestrian(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:  # noqa: ARG001
    """Somebody walks past in front of or behind the objects, arms and legs swinging."""
    distance, eye = _distance(scene), scene.camera.c2w[0, :3, 3]
    away = (focus(scene) - eye) * [1, 1, 0]
    away /= np.linalg.norm(away)
    side = np.array([away[1], -away[0], 0.0]) * rng.choice([-1.0, 1.0])
    middle = focus(scene) * [1, 1, 0] + rng.choice([-0.25, 0.3]) * distance * away
    path = middle + distance * np.linspace(-0.25, 0.25, scene.num_frames)[:, None] * side
    asset = ASSETS["pedestrian"](rng, str(rng.choice(sorted(COLOURS))))
    stage = Stage(FamilySpec(scene.num_frames, scene.fps))
    asset = asset.scaled(0.4 * distance / asset.size_m[2])
    stage.stand(asset, path, float(np.arctan2(side[1], side[0])), dynamic=True)
    walker = stage.scene(scene.family, scene.camera, scene.environment)
    return _joined(scene, walker)


def _joined(scene: Scene, other: Scene) -> Scene:
    """The bodies and objects of two scenes without appearing or stretching ones, in the first one's setting."""
    assert scene.present is None, "a clean world has no present mask"
    assert scene.scale is None, "a clean world has no stretched bodies"
    shift = len(scene.objects)
    return replace(
        scene,
        bodies=scene.bodies + tuple(replace(b, instance=b.instance + shift) for b in other.bodies),
        objects=scene.objects + other.objects,
        position_m=np.concatenate([scene.position_m, other.position_m], axis=1),
        rotation=np.concatenate([scene.rotation, other.rotation], axis=1),
    )


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
