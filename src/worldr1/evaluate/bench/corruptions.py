"""Objects and scenery that break the world: edits of scenes, so that the renderer knows the truth of what is shown.

Each takes a clean scene, a random generator and an amount (about 0.5 mild, 1 middling, 1.6 strong) and returns a
broken copy; ``NoPlaceError`` where the scene has nothing that the edit could be seen on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from worldr1.evaluate.bench.edits import SceneEdit, move, ramp, repaint, scale_of, slide, stretch, without
from worldr1.worlds.added import add_body
from worldr1.worlds.families.visibility import box_points, in_camera, in_picture
from worldr1.worlds.filmed import distance_to_focus, focus, target_of, visible
from worldr1.worlds.scene import STUFF, Body, Bools, Floats, NoPlaceError, Part, Scene
from worldr1.worlds.screen import behind_screen


def _start(scene: Scene, rng: np.random.Generator) -> int:
    """A frame in the middle third of the clip."""
    return int(rng.integers(scene.num_frames // 3, 2 * scene.num_frames // 3 + 1))


def _after(scene: Scene, start: int) -> Bools:
    return np.arange(scene.num_frames) >= start


def morph(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """An object slowly becomes wider and flatter, or taller and thinner."""
    way = rng.choice([-1.0, 1.0]) * 0.55 * amount * ramp(scene.num_frames)
    return stretch(scene, target_of(scene, rng), np.exp(np.stack([way, way, -way], axis=-1)))


def size_pumping(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """An object breathes with a period of eight frames."""
    wave = 1 + 0.25 * amount * np.sin(2 * np.pi * np.arange(scene.num_frames) / 8)
    return stretch(scene, target_of(scene, rng), np.repeat(wave[:, None], 3, axis=1))


def teleport(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """An object jumps aside by a share of its own size."""
    start, instance = _start(scene, rng), target_of(scene, rng)
    right = scene.camera.c2w[start, :3, 0] * [1, 1, 0]
    jump = rng.choice([-1.0, 1.0]) * amount * max(scene.objects[instance].size_m) * right
    return move(scene, instance, _after(scene, start)[:, None] * jump)


def identity_swap(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """Two objects exchange their places: once for a while, for good, or to and fro."""
    a, b = (visible(scene, 2)[i] for i in rng.permutation(2))
    frame, start = np.arange(scene.num_frames), _start(scene, rng)
    swapped = frame >= start
    if amount < 0.75:
        swapped &= frame < start + 3
    elif amount > 1.3:
        swapped &= (frame - start) // 3 % 2 == 0
    way = (box_points(scene, b) - box_points(scene, a)).mean(1) * [1, 1, 0]
    return move(move(scene, a, swapped[:, None] * way), b, swapped[:, None] * -way)


def extra_limb(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """A rod grows out of an object on both sides, across the camera's view so that it can be seen."""
    instance = target_of(scene, rng)
    first = scene.bodies_of(instance)[0]
    size = max(scene.objects[instance].size_m)
    reach = (0.5 + 0.4 * amount) * size  # from the object's middle: half of it or less is inside
    surface = max(scene.bodies[first].parts, key=lambda p: float(np.prod(p.half_size_m))).material
    rod = Part("capsule", (0.1 * size, 0.1 * size, reach), surface)
    tilt = rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.2)
    axis = scene.camera.c2w[scene.num_frames // 2, :3, 2] * [1, 1, 0]
    axis /= np.linalg.norm(axis)
    rotation = np.tile([*(np.sin(tilt / 2) * axis), np.cos(tilt / 2)], (scene.num_frames, 1))
    grown = np.maximum(ramp(scene.num_frames), 1e-3)
    scale = np.stack([np.ones_like(grown), np.ones_like(grown), grown], axis=-1)
    middle = box_points(scene, instance).mean(1)
    return add_body(scene, Body((rod,), instance), middle, rotation, ramp(scene.num_frames) > 0, scale)


def vanish(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """An object is gone: for three frames, for good, or with another one."""
    seen, start, frame = visible(scene), _start(scene, rng), np.arange(scene.num_frames)
    gone = (frame >= start) & ((amount >= 0.75) | (frame < start + 3))
    return without(scene, seen[: 2 if amount > 1.3 else 1], gone)


def changed_behind_screen(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """What passed behind the board (`screen.with_screen`) comes out in another colour, also smaller, or not at all."""
    instance, hidden = behind_screen(scene), scene.num_frames // 2
    after = _after(scene, hidden)
    if amount > 1.3:
        return without(scene, [instance], after)
    if amount > 0.75:
        scene = stretch(scene, instance, np.where(after, 0.6, 1.0)[:, None] * np.ones(3))
    return repaint(scene, instance, after, rng)


def _turned_away(scene: Scene) -> int:
    """The middle of the frames in which no object is in the picture; ``ValueError`` where some always is."""
    empty = ~np.any([in_picture(scene, box_points(scene, i)).any(-1) for i in range(len(scene.objects))], axis=0)
    if not empty.any() or empty[0] or empty[-1]:
        raise NoPlaceError("the camera never looks away from all objects and back; use the path 'look away'")
    return int(np.flatnonzero(empty)[empty.sum() // 2])


def never_reappears(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """Objects are gone when the camera looks back: a third of them, two thirds, or all."""
    return without(scene, _some(scene, rng, amount), _after(scene, _turned_away(scene)))


def different_room(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """Objects have other places and colours when the camera looks back: a third of them, two thirds, or all."""
    after = _after(scene, _turned_away(scene))
    reach = 0.3 * distance_to_focus(scene)
    for instance in _some(scene, rng, amount):
        angle = rng.uniform(0, 2 * np.pi)
        step = reach * np.array([np.cos(angle), np.sin(angle), 0.0])
        scene = repaint(move(scene, instance, after[:, None] * step), instance, after, rng)
    return scene


def _some(scene: Scene, rng: np.random.Generator, amount: float) -> Sequence[int]:
    count = len(scene.objects)
    share = np.clip(round(3 * amount / 1.6) / 3, 0, 1)
    return [int(i) for i in rng.permutation(count)[: max(1, round(share * count))]]


def wrong_depth_drift(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """An object slides away along its first view ray and grows as it goes, so that only parallax gives it away."""
    eye = np.repeat(scene.camera.c2w[:1, :3, 3], scene.num_frames, axis=0)
    return slide(scene, target_of(scene, rng), eye, 1 + 0.7 * amount * ramp(scene.num_frames))


def interpenetration(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """An object glides into another one."""
    a, b = (visible(scene, 2)[i] for i in rng.permutation(2))
    way = (box_points(scene, b) - box_points(scene, a)).mean(1) * [1, 1, 0]
    return move(scene, a, min(1.0, 0.6 * amount) * ramp(scene.num_frames)[:, None] * way)


def depth_order_flip(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:  # noqa: ARG001
    """The farther of two objects that overlap (`stages.with_overlap`) is drawn before the nearer one, more often the
    worse. It keeps its size and place in the picture. Raises ``NoPlaceError`` where no two objects overlap."""
    local = {i: in_camera(scene, box_points(scene, i)) for i in visible(scene, 2)}
    best, pair = 0.0, None
    for far in local:
        for near in local:
            if local[near][..., 2].mean() < local[far][..., 2].mean():
                shared = _overlap(local[near], local[far])
                best, pair = (shared, (far, near)) if shared > best else (best, pair)
    if pair is None:
        raise NoPlaceError("no two objects overlap in the picture; choose another scene")
    far, near = pair
    factor = 0.9 * local[near][..., 2].min(-1) / local[far][..., 2].max(-1)
    flipped = np.arange(scene.num_frames) % 6 >= 5 - round(2 * amount)
    return slide(scene, far, scene.camera.c2w[:, :3, 3], np.where(flipped, np.clip(factor, 0.2, 1), 1.0))


def _overlap(a: Floats, b: Floats) -> float:
    """Mean area that the projected boxes of points ``[frames, n, 3]`` in the camera's axes share."""
    a, b = (p[..., :2] / np.maximum(p[..., 2:], 0.05) for p in (a, b))
    side = np.minimum(a.max(1), b.max(1)) - np.maximum(a.min(1), b.min(1))
    return float(np.maximum(side, 0).prod(-1).mean())


def parallax_reversal(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:  # noqa: ARG001
    """Objects go along with the camera, farther than it: they move the wrong way in the picture."""
    travel = scene.camera.c2w[:, :3, 3] - scene.camera.c2w[:1, :3, 3]
    for instance in range(len(scene.objects)):
        scene = move(scene, instance, 2.0 * amount * travel * [1, 1, 0])
    return scene


def depth_rescale(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """All objects and their distances to each other grow or shrink; the ground does not."""
    factor = np.exp(rng.choice([-1.0, 1.0]) * 0.35 * amount * ramp(scene.num_frames))
    centre = focus(scene) * [1, 1, 0]
    position, scale = scene.position_m.copy(), scale_of(scene)
    bodies = [i for i, b in enumerate(scene.bodies) if b.instance != STUFF]
    position[:, bodies] = centre + factor[:, None, None] * (position[:, bodies] - centre)
    scale[:, bodies] *= factor[:, None, None]
    return replace(scene, position_m=position, scale=scale)


def texture_swim(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """The ground's pattern drifts under the objects."""
    angle = rng.uniform(0, 2 * np.pi)
    distance = distance_to_focus(scene)
    step = 0.02 * amount * distance * np.array([np.cos(angle), np.sin(angle)])
    return replace(scene, ground_offset_m=np.arange(scene.num_frames)[:, None] * step)


def wall_bend(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """The wall (`stages.with_wall`) bulges towards the camera and back in a slow wave."""
    slats = scene.bodies_of(STUFF)
    toward = scene.camera.c2w[0, :3, 3] - focus(scene)
    distance = float(np.linalg.norm(toward))
    toward = np.array([toward[0], toward[1], 0.0]) / np.hypot(toward[0], toward[1])
    across = np.sin(np.pi * (np.arange(len(slats)) + 0.5) / len(slats) * 2 + rng.uniform(0, np.pi))
    bulge = 0.2 * amount * distance * ramp(scene.num_frames)[:, None] * across
    position = scene.position_m.copy()
    position[:, slats] += bulge[..., None] * toward
    return replace(scene, position_m=position)


OBJECTS: Mapping[str, SceneEdit] = {
    "object morph": morph,
    "size pumping": size_pumping,
    "teleport": teleport,
    "identity swap": identity_swap,
    "extra limb": extra_limb,
    "vanish in view": vanish,
    "changed behind an occluder": changed_behind_screen,
    "never reappears": never_reappears,
    "wrong-depth drift": wrong_depth_drift,
    "interpenetration": interpenetration,
    "depth-order flip": depth_order_flip,
    "parallax sign reversal": parallax_reversal,
    "depth rescale": depth_rescale,
    "different room on revisit": different_room,
    "texture swim": texture_swim,
    "wall bend": wall_bend,
}
