"""Who hides whom, by geometry alone: what plans are checked with, in a fraction of a millisecond.

An object is stood for by 27 points of its box, an occluder by boxes: one inscribed in each of its parts when asked
what is certainly hidden, one around each when asked what is certainly seen. A picture is square.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from worldr1.worlds.families.stage import STRIDE_REACH, turn
from worldr1.worlds.scene import Bools, Floats, Scene

_GRID = np.stack(np.meshgrid(*[(-1.0, 0.0, 1.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
# half sizes of an inscribed box as shares of those of the part; a mesh hides nothing for certain
_INSCRIBED = {
    "box": (1.0, 1.0, 1.0),
    "sphere": (0.577, 0.577, 0.577),
    "cylinder": (0.707, 0.707, 1.0),
    "capsule": (0.707, 0.707, 0.7),
    "cone": (0.35, 0.35, 0.3),
    "mesh": (0.0, 0.0, 0.0),
}


def box_points(scene: Scene, instance: int, *, stride: bool = False) -> Floats:
    """Corners, middles of edges and faces, and the centre of an object's box: ``[frames, 27, 3]``. With ``stride``
    the box of something with limbs takes in how far they swing."""
    bodies = scene.bodies_of(instance)
    half = np.divide(scene.objects[instance].size_m, 2)
    if stride and len(bodies) > 1:
        half[0] = max(half[0], 2 * STRIDE_REACH * half[2])
    return turn(scene.rotation[:, bodies[0], None], _GRID * half) + scene.position_m[:, bodies[0], None]


def in_camera(scene: Scene, points: Floats) -> Floats:
    """Points ``[frames, n, 3]`` in the camera's axes."""
    c2w = scene.camera.c2w
    return (points - c2w[:, None, :3, 3]) @ c2w[:, :3, :3]


def in_picture(scene: Scene, points: Floats) -> Bools:
    """Which points ``[frames, n, 3]`` project into the picture: ``[frames, n]``."""
    local = in_camera(scene, points)
    reach = local[..., 2] * (scene.camera.sensor_mm / 2 / scene.camera.focal_mm)[:, None]
    inside: Bools = (local[..., 2] > 0.05) & (np.abs(local[..., :2]).max(-1) < reach)
    return inside


def picture_share(scene: Scene, instance: int) -> Floats:
    """Longer side of an object's projected box as a share of the picture's width: ``[frames]``, 0 behind."""
    local = in_camera(scene, box_points(scene, instance))
    depth = local[..., 2:]
    ahead = (depth > 0.05).all((1, 2))
    flat = local[..., :2] / np.maximum(depth, 0.05)
    extent = (flat.max(1) - flat.min(1)).max(-1) * scene.camera.focal_mm / scene.camera.sensor_mm
    return np.where(ahead, extent, 0.0)


def hidden_points(scene: Scene, instance: int, occluders: Sequence[int], *, certain: bool) -> Bools:
    """Which of an object's `box_points` the ``occluders`` (instances) cover from the camera: ``[frames, 27]``.

    ``certain`` takes inscribed boxes, so that what is called hidden is; otherwise what is called visible is.
    """
    points = box_points(scene, instance, stride=certain)
    eye = scene.camera.c2w[:, None, :3, 3]
    hidden = np.zeros(points.shape[:2], bool)
    for other in occluders:
        bodies = scene.bodies_of(other)
        for index in bodies if certain else bodies[:1]:
            back = scene.rotation[:, index, None] * [-1, -1, -1, 1]
            origin = scene.position_m[:, index, None]
            start, end = turn(back, eye - origin), turn(back, points - origin)
            if not certain:
                hidden |= _crosses(start, end, np.divide(scene.objects[other].size_m, 2))
                continue
            for part in scene.bodies[index].parts:
                a, b = start - part.offset_m, end - part.offset_m
                if any(part.rotation[:3]):
                    to_part = Rotation.from_quat(part.rotation).as_matrix()
                    a, b = a @ to_part, b @ to_part
                hidden |= _crosses(a, b, np.multiply(part.half_size_m, _INSCRIBED[part.shape]))
    return hidden


def hidden_share(scene: Scene, stride: int = 1, targets: Sequence[int] | None = None) -> Floats:
    """How much of each of the ``targets`` (default: all objects) all others hide, every ``stride`` frames, each
    object standing for 60 % of its box and seen at its corners: ``[frames, targets]``. Rough, for many at once."""
    first = [scene.bodies_of(i)[0] for i in range(len(scene.objects))]
    position, rotation = scene.position_m[::stride, first], scene.rotation[::stride, first]
    half = 0.3 * np.array([o.size_m for o in scene.objects])
    # axes: frame, occluder, target, point
    chosen = np.arange(len(first)) if targets is None else np.asarray(targets)
    points = turn(rotation[:, chosen, None], _GRID[::2] * half[chosen, None]) + position[:, chosen, None]
    back = rotation[:, :, None, None] * [-1, -1, -1, 1]
    eye = turn(back, (scene.camera.c2w[::stride, None, :3, 3] - position)[:, :, None, None])
    ends = turn(back, points[:, None] - position[:, :, None, None])
    covers = _crosses(eye, ends, half[:, None, None])
    same = np.eye(len(first), dtype=bool)[None, :, chosen, None]
    share: Floats = (covers & ~same).any(1).mean(-1)
    return share


def _crosses(start: Floats, end: Floats, half: Floats) -> Bools:
    """Whether segments ``[..., 3]`` run through the box of ``half`` about the origin (slabs, Kay & Kajiya 1986)."""
    way = end - start
    way = np.where(np.abs(way) < 1e-9, 1e-9, way)
    t0, t1 = (-half - start) / way, (half - start) / way
    enter, leave = np.minimum(t0, t1).max(-1), np.maximum(t0, t1).min(-1)
    crosses: Bools = (enter < leave) & (leave > 0) & (enter < 1)
    return crosses


def reappears(scene: Scene, instance: int, occluders: Sequence[int]) -> bool:
    """Whether an object is for certain seen, then fully hidden while in the picture, then seen again."""
    inside = in_picture(scene, box_points(scene, instance))
    gone = hidden_points(scene, instance, occluders, certain=True).all(-1) & (inside.mean(-1) > 0.9)
    seen = ((~hidden_points(scene, instance, occluders, certain=False)) & inside).mean(-1) > 0.6
    if not gone.any():
        return False
    first, last = int(np.argmax(gone)), len(gone) - 1 - int(np.argmax(gone[::-1]))
    return bool(seen[:first].any() and seen[last:].any())
