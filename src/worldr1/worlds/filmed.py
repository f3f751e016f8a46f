"""Worlds of resting objects, each filmed along several camera paths that all show parallax: the bench's clean ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from worldr1.worlds.camera import camera_track, look_at
from worldr1.worlds.families import scene_at
from worldr1.worlds.families.stage import distance_to_fit, vec3
from worldr1.worlds.families.visibility import box_points, in_picture, picture_share
from worldr1.worlds.scene import CameraTrack, Floats, Move, NoPlaceError, Scene
from worldr1.worlds.tiny.families import FOV_DEG

_SENSOR_MM = 36.0
FOCAL_MM = _SENSOR_MM / 2 / float(np.tan(np.radians(FOV_DEG) / 2))  # what rewards assume of a video of unknown camera
_LEAST_OBJECTS = 2
_LEAST_SHARE = 0.1  # of the picture's width, of an object that may be edited

# metres are shares of the distance to what is looked at
_MOVES: Mapping[str, tuple[tuple[str, float, float, float], ...]] = {
    "orbit": (("orbit left", 0.0, 1.0, 40.0),),
    "truck": (("truck right", 0.0, 1.0, 0.4),),
    "dolly": (("dolly in", 0.0, 1.0, 0.38),),
    "boom": (("pedestal up", 0.0, 1.0, 0.22), ("truck left", 0.0, 1.0, 0.22)),
    "look away": (("truck right", 0.0, 1.0, 0.35), ("pan right", 0.0, 0.5, 62.0), ("pan left", 0.5, 1.0, 62.0)),
}
# where it starts, aiming the same way: right, up and back, in the same unit, so that objects stay in the picture
_STARTS: Mapping[str, tuple[float, float, float]] = {
    "orbit": (0.0, 0.0, 0.0),
    "truck": (-0.2, 0.0, 0.0),
    "dolly": (0.0, 0.0, 0.2),
    "boom": (0.11, -0.08, 0.0),
    "look away": (-0.17, 0.0, 0.0),
}
PATHS = tuple(_MOVES)


def focus(scene: Scene) -> Floats:
    """The middle of all objects in the first frame, ``[3]``."""
    middle: Floats = np.mean([box_points(scene, i)[0].mean(0) for i in range(len(scene.objects))], axis=0)
    return middle


def distance_to_focus(scene: Scene) -> float:
    """From the first camera, metres."""
    return float(np.linalg.norm(focus(scene) - scene.camera.c2w[0, :3, 3]))


def film(scene: Scene, path: str) -> CameraTrack:
    """One of `PATHS` around the scene's objects."""
    eye, target = scene.camera.c2w[0, :3, 3], focus(scene)
    distance = float(np.linalg.norm(target - eye))
    right, _, forward = scene.camera.c2w[0, :3, :3].T
    aside, up, back = (distance * s for s in _STARTS[path])
    start = aside * right + up * np.array([0, 0, 1]) - back * forward
    metric = ("truck", "dolly", "pedestal")
    moves = [Move(k, a, b, m * (distance if k.startswith(metric) else 1.0)) for k, a, b, m in _MOVES[path]]
    aim = target + start if back == 0 else target
    return camera_track(moves, scene.num_frames, eye_m=vec3(eye + start), target_m=vec3(aim), focal_mm=FOCAL_MM)


def world(seed: int, index: int, num_frames: int) -> Scene:
    """World ``index``: a landmarks scene with at least two objects, its camera at a distance that suits `FOCAL_MM`.

    Shadows are hard: soft ones double the time to render.
    """
    skipped = 0
    while True:
        # every index has a sequence of its own, so that no world depends on another
        scene = scene_at("landmarks", seed + 1000 * skipped, index, num_frames=num_frames)
        if len(scene.objects) >= _LEAST_OBJECTS:
            break
        skipped += 1
    lights = tuple(replace(light, softness_deg=0.0) for light in scene.environment.lights)
    scene = replace(scene, environment=replace(scene.environment, lights=lights))
    target, eye = focus(scene), scene.camera.c2w[0, :3, 3]
    forward = (target - eye) / np.linalg.norm(target - eye)
    points = np.concatenate([box_points(scene, i)[0] for i in range(len(scene.objects))])
    distance = distance_to_fit(points, target, forward, float(np.tan(np.radians(FOV_DEG) / 2)), share=0.95)
    c2w = np.repeat(look_at(vec3(target - 1.05 * distance * forward), vec3(target))[None], num_frames, axis=0)
    return replace(scene, camera=CameraTrack(c2w, np.full(num_frames, FOCAL_MM)))


def visible(scene: Scene, least: int = 1) -> list[int]:
    """Objects that are large and in the picture most of the time, largest first. ``ValueError`` if fewer than
    ``least``."""
    count = range(len(scene.objects))
    inside = [in_picture(scene, box_points(scene, i)).mean(-1) > 0.5 for i in count]
    share = np.array([picture_share(scene, i) * inside[i] for i in count])
    seen = [int(i) for i in np.argsort(-share.mean(1)) if np.median(share[i]) >= _LEAST_SHARE]
    if len(seen) < least:
        raise NoPlaceError(f"{len(seen)} objects are large and in view, {least} are needed; choose another scene")
    return seen


def target_of(scene: Scene, rng: np.random.Generator) -> int:
    """One of the two largest objects in view; raises as `visible` does."""
    seen = visible(scene)
    return seen[int(rng.integers(min(2, len(seen))))]
