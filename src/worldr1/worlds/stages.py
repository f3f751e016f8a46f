"""What can be built into a filmed world: a wall behind its objects, a board before them, one object behind another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from worldr1.worlds.added import add_body, facing
from worldr1.worlds.assets.parts import material
from worldr1.worlds.families.visibility import box_points
from worldr1.worlds.filmed import focus, visible
from worldr1.worlds.scene import STUFF, Body, Floats, Part, Scene
from worldr1.worlds.screen import with_screen

_WALL_SLATS = 14


def _axes(scene: Scene) -> tuple[Floats, Floats, float]:
    """Horizontal directions away from the first camera and to its right, and the distance to the focus."""
    away = focus(scene) - scene.camera.c2w[0, :3, 3]
    distance = float(np.linalg.norm(away))
    away = np.array([away[0], away[1], 0.0]) / np.hypot(away[0], away[1])
    return away, np.array([away[1], -away[0], 0.0]), distance


def with_wall(scene: Scene) -> Scene:
    """A brick wall of upright slats behind the objects, so that a wall can bend."""
    away, right, distance = _axes(scene)
    middle = focus(scene) + 0.55 * distance * away
    width, height = 1.7 * distance / _WALL_SLATS, 0.75 * distance
    surface = material("brown", "brick", repeat_m=0.12 * distance)
    for slat in range(_WALL_SLATS):
        at = middle + (slat - (_WALL_SLATS - 1) / 2) * width * right
        # turn about: shared texture coordinates would make every slat alike
        part = Part("box", (width / 2, 0.02 * distance, height / 2), replace(surface, colour=_tint(slat)))
        place = np.tile([at[0], at[1], height / 2], (scene.num_frames, 1))
        scene = add_body(scene, Body((part,), STUFF), place, facing(away, scene.num_frames))
    return scene


def _tint(slat: int) -> tuple[float, float, float]:
    level = 0.45 + 0.3 * ((slat * 5) % _WALL_SLATS) / _WALL_SLATS
    return (level, 0.6 * level, 0.45 * level)


def with_overlap(scene: Scene) -> Scene:
    """The second largest object stands behind the largest one, partly hidden by it.

    Raises ``NoPlaceError`` where fewer than two objects are in view.
    """
    near, far = visible(scene, 2)[:2]
    eye = scene.camera.c2w[scene.num_frames // 2, :3, 3]
    before = box_points(scene, near)[0].mean(0)
    away = (before - eye) * [1, 1, 0]
    side = np.array([away[1], -away[0], 0.0]) / np.hypot(away[0], away[1])
    gap = 0.75 * (max(scene.objects[near].size_m[:2]) + max(scene.objects[far].size_m[:2]))
    place = before + gap * away / np.hypot(away[0], away[1]) + 0.3 * max(scene.objects[near].size_m[:2]) * side
    offset = (place - box_points(scene, far)[0].mean(0)) * [1, 1, 0]
    position = scene.position_m.copy()
    position[:, scene.bodies_of(far)] += offset
    return replace(scene, position_m=position)


STAGES: Mapping[str, Callable[[Scene], Scene]] = {"wall": with_wall, "screen": with_screen, "overlap": with_overlap}
