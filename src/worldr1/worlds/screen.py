"""A board that an object passes behind, seen before and after."""

from __future__ import annotations

from itertools import product

import numpy as np

from worldr1.worlds.added import add_body, facing
from worldr1.worlds.assets.parts import material
from worldr1.worlds.families.visibility import box_points, hidden_points, in_picture
from worldr1.worlds.filmed import visible
from worldr1.worlds.scene import STUFF, Body, NoPlaceError, Part, Scene

_DISTANCES = (0.55, 0.42, 0.32, 0.24)  # of the object's; the nearer the board, the faster it passes
_LEAST_SEEN = 0.6  # of an object's points, in the first two frames and the last two
_WIDER = 1.13  # than the object, as both are seen


def behind_screen(scene: Scene) -> int:
    """The largest object that the board of `with_screen` hides half-way, and shows at both ends of the clip.

    Raises ``NoPlaceError`` where there is none.
    """
    for instance in visible(scene):
        hidden = hidden_points(scene, instance, [STUFF], certain=True)
        others = [i for i in range(len(scene.objects)) if i != instance]
        free = ~hidden & ~hidden_points(scene, instance, others, certain=True)
        seen = (free & in_picture(scene, box_points(scene, instance))).mean(-1)
        if hidden[scene.num_frames // 2].all() and min(*seen[:2], *seen[-2:]) >= _LEAST_SEEN:
            return instance
    raise NoPlaceError("the board hides no object half-way along the path only; choose another scene or path")


def with_screen(scene: Scene) -> Scene:
    """A board that hides an object half-way along the path and neither before nor after, the largest that it can be.

    Raises ``NoPlaceError`` where no object is in view, or none can be hidden for a while only.
    """
    error = None
    for instance, distance in product(visible(scene), _DISTANCES):
        board = _before(scene, instance, distance)
        try:
            behind_screen(board)
        except NoPlaceError as none:
            error = none
        else:
            return board
    assert error is not None  # `visible` would have raised
    raise error


def _before(scene: Scene, instance: int, distance: float) -> Scene:
    """The scene with a board that stands in front of an object half-way along the path."""
    middle = scene.num_frames // 2
    eye = scene.camera.c2w[middle, :3, 3]
    centre = box_points(scene, instance)[middle].mean(0)
    at = eye + distance * (centre - eye)
    away = np.array([centre[0] - eye[0], centre[1] - eye[1], 0.0])
    away /= np.linalg.norm(away)
    size = scene.objects[instance].size_m
    half_width = _WIDER * distance * 0.5 * float(np.hypot(size[0], size[1]))
    top = at[2] + _WIDER * distance * size[2]
    striped = material("orange", "striped", repeat_m=0.5 * half_width)
    part = Part("box", (half_width, 0.03 * half_width, top / 2), striped)
    place = np.tile([at[0], at[1], top / 2], (scene.num_frames, 1))
    return add_body(scene, Body((part,), STUFF), place, facing(away, scene.num_frames))
