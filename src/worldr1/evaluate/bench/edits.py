"""What edits of objects are made of: new arrays of a scene's state, so that the renderer knows what is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from worldr1.worlds.added import add_body
from worldr1.worlds.assets import COLOURS
from worldr1.worlds.families.visibility import box_points
from worldr1.worlds.scene import Body, Bools, Floats, Part, Scene

# a clean scene, a random generator and an amount (about 0.5 mild, 1 middling, 1.6 strong) to an edited copy
SceneEdit = Callable[[Scene, np.random.Generator, float], Scene]


def ramp(frames: int, start: float = 0.15, end: float = 0.85) -> Floats:
    """0 before ``start`` of the clip, 1 after ``end``, a straight line between: ``[frames]``."""
    time = np.linspace(0, 1, frames)
    return np.clip((time - start) / (end - start), 0, 1)


def scale_of(scene: Scene) -> Floats:
    """A copy of every body's stretch ``[frames, bodies, 3]``, 1 where the scene has none."""
    return np.ones_like(scene.position_m) if scene.scale is None else scene.scale.copy()


def _present_of(scene: Scene) -> Bools:
    return np.ones(scene.position_m.shape[:2], bool) if scene.present is None else scene.present.copy()


def stretch(scene: Scene, instance: int, factors: Floats) -> Scene:
    """Stretch an object by ``factors`` ``[frames, 3]`` along its axes; it keeps standing where it stands."""
    bodies = scene.bodies_of(instance)
    position, scale = scene.position_m.copy(), scale_of(scene)
    foot = box_points(scene, instance)[..., 2].min(-1)
    position[:, bodies, 2] = foot[:, None] + factors[:, 2:] * (position[:, bodies, 2] - foot[:, None])
    scale[:, bodies] *= factors[:, None]
    return replace(scene, position_m=position, scale=scale)


def move(scene: Scene, instance: int, offset_m: Floats) -> Scene:
    """Move an object by ``offset_m`` ``[frames, 3]``."""
    position = scene.position_m.copy()
    position[:, scene.bodies_of(instance)] += offset_m[:, None]
    return replace(scene, position_m=position)


def slide(scene: Scene, instance: int, eye_m: Floats, factor: Floats) -> Scene:
    """Put an object ``factor`` ``[frames]`` times as far from ``eye_m`` ``[frames, 3]`` and as large: from there it
    looks the same."""
    bodies = scene.bodies_of(instance)
    position, scale = scene.position_m.copy(), scale_of(scene)
    position[:, bodies] = eye_m[:, None] + factor[:, None, None] * (position[:, bodies] - eye_m[:, None])
    scale[:, bodies] *= factor[:, None, None]
    return replace(scene, position_m=position, scale=scale)


def repaint(scene: Scene, instance: int, shown: Bools, rng: np.random.Generator) -> Scene:
    """Where ``shown`` ``[frames]`` the object has another colour, a clearly different one."""
    was = np.array(COLOURS[scene.objects[instance].colour])
    r, g, b = list(COLOURS.values())[int(rng.choice(_distant(was)))]

    def painted(part: Part) -> Part:
        return replace(part, material=replace(part.material, colour=(r, g, b), second=(0.5 * r, 0.5 * g, 0.5 * b)))

    present, scale = _present_of(scene), scale_of(scene)
    for index in scene.bodies_of(instance):
        twin = Body(tuple(painted(p) for p in scene.bodies[index].parts), instance)
        there = present[:, index] & shown
        scene = add_body(scene, twin, scene.position_m[:, index], scene.rotation[:, index], there, scale[:, index])
        present = _present_of(scene)
        present[:, index] &= ~shown
        scene = replace(scene, present=present)
    return scene


def _distant(colour: Floats) -> list[int]:
    return [i for i, c in enumerate(COLOURS.values()) if np.abs(np.array(c) - colour).max() > 0.45]


def without(scene: Scene, instances: Sequence[int], gone: Bools) -> Scene:
    """The objects are not in the world in the frames ``gone`` ``[frames]``."""
    theirs = np.array([b.instance in instances for b in scene.bodies])
    return replace(scene, present=_present_of(scene) & ~(gone[:, None] & theirs))
