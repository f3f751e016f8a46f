"""Hard positives in which something moves by itself, as things do: through nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from worldr1.evaluate.bench.edits import move, ramp
from worldr1.worlds.assets import ASSETS, COLOURS
from worldr1.worlds.families.split import FamilySpec
from worldr1.worlds.families.stage import Stage, compose, yaw_rotation
from worldr1.worlds.families.visibility import box_points, hidden_points, in_picture
from worldr1.worlds.filmed import distance_to_focus, focus, target_of
from worldr1.worlds.scene import STUFF, Floats, NoPlaceError, Scene
from worldr1.worlds.truth.contacts import pair_gaps
from worldr1.worlds.truth.layout import layout

_WAYS = 12  # directions that a mover may take
_ROWS = (-0.25, 0.3, -0.35, 0.5, 0.7)  # of the distance, behind the middle of the objects: where somebody may walk past
_LEAST_SEEN = 0.4  # of the points of somebody who walks past, over the clip


def rigid_mover(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:  # noqa: ARG001
    """An object glides over the ground and turns as it goes, through no other one.

    Raises ``NoPlaceError`` where it has no room for that.
    """
    instance, first = target_of(scene, rng), rng.uniform(0, 2 * np.pi)
    for angle in first + 2 * np.pi * np.arange(_WAYS) / _WAYS:
        moved = _glided(
            scene, instance, 0.35 * distance_to_focus(scene) * np.array([np.cos(angle), np.sin(angle), 0.0])
        )
        if not _runs_into(moved, instance):
            return moved
    raise NoPlaceError("the object has no room to move; choose another scene")


def _runs_into(scene: Scene, mover: int) -> bool:
    """Whether an object is ever inside of another one."""
    pairs = pair_gaps(layout(scene), np.array([o.size_m for o in scene.objects]))
    return any(float(p.gap_m.min()) < -p.touch_m for pair, p in pairs.items() if mover in pair and STUFF not in pair)


def _seen(scene: Scene, instance: int) -> float:
    """Share of an object's box points, over the clip, that are in the picture and not behind other objects."""
    others = [i for i in range(len(scene.objects)) if i != instance]
    hidden = hidden_points(scene, instance, others, certain=True)
    return float((in_picture(scene, box_points(scene, instance)) & ~hidden).mean())


def _glided(scene: Scene, instance: int, way: Floats) -> Scene:
    """An object that goes along ``way`` ``[3]`` and turns by 1.5 radians."""
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
    """Somebody walks past in front of or behind the objects, through none of them, arms and legs swinging.

    Raises ``NoPlaceError`` where there is no room for that, or they would hardly be seen.
    """
    distance, eye = distance_to_focus(scene), scene.camera.c2w[0, :3, 3]
    away = (focus(scene) - eye) * [1, 1, 0]
    away /= np.linalg.norm(away)
    side = np.array([away[1], -away[0], 0.0]) * rng.choice([-1.0, 1.0])
    swapped = rng.random() < 0.5
    asset = ASSETS["pedestrian"](rng, str(rng.choice(sorted(COLOURS))))
    asset = asset.scaled(0.4 * distance / asset.size_m[2])
    for row in (_ROWS[1], _ROWS[0], *_ROWS[2:]) if swapped else _ROWS:
        middle = focus(scene) * [1, 1, 0] + row * distance * away
        path = middle + distance * np.linspace(-0.25, 0.25, scene.num_frames)[:, None] * side
        stage = Stage(FamilySpec(scene.num_frames, scene.fps))
        stage.stand(asset, path, float(np.arctan2(side[1], side[0])), dynamic=True)
        walking = _joined(scene, stage.scene(scene.family, scene.camera, scene.environment))
        if _seen(walking, len(scene.objects)) >= _LEAST_SEEN and not _runs_into(walking, len(scene.objects)):
            return walking
    raise NoPlaceError("nobody can walk past these objects; choose another scene")


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
