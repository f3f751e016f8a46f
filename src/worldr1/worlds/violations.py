"""Edits that break a world: what a consistent video never shows, with the frame from which it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from worldr1.worlds.assets import COLOURS
from worldr1.worlds.families.visibility import box_points, hidden_points, hidden_share, in_picture, picture_share
from worldr1.worlds.scene import STUFF, Body, Bools, Floats, NoPlaceError, Part, Scene, Vec3

_EARLIEST = 2  # frames that a violation leaves intact at either end
_FEWEST_SEEN = 0.08  # share of the picture's width that a changed object takes up

Edit = Callable[[np.random.Generator, Scene, int, int], Scene]


def _present(scene: Scene) -> Bools:
    present = scene.present
    return np.ones(scene.position_m.shape[:2], bool) if present is None else present.copy()


def _scale(scene: Scene) -> Floats:
    return np.ones_like(scene.position_m) if scene.scale is None else scene.scale.copy()


def _with_twin(scene: Scene, start: int, instance: int, parts: tuple[tuple[Part, ...], ...]) -> Scene:
    """From ``start`` on, other parts in place of those of an object's bodies; ``parts`` has one entry per body."""
    old, present, scale = scene.bodies_of(instance), _present(scene), _scale(scene)
    new = present[:, old].copy()
    new[:start] = False
    present[start:, old] = False
    return replace(
        scene,
        bodies=scene.bodies + tuple(Body(p, instance) for p in parts),
        position_m=np.concatenate([scene.position_m, scene.position_m[:, old]], axis=1),
        rotation=np.concatenate([scene.rotation, scene.rotation[:, old]], axis=1),
        present=np.concatenate([present, new], axis=1),
        scale=np.concatenate([scale, scale[:, old]], axis=1),
    )


def _colour(rng: np.random.Generator, scene: Scene, start: int, instance: int) -> Scene:
    """All surfaces turn to another colour, a clearly different one."""
    was = np.array(COLOURS[scene.objects[instance].colour])
    far = [c for c in COLOURS.values() if np.abs(np.array(c) - was).max() > 0.45]
    r, g, b = far[int(rng.integers(len(far)))]

    def painted(part: Part) -> Part:
        return replace(part, material=replace(part.material, colour=(r, g, b), second=(0.5 * r, 0.5 * g, 0.5 * b)))

    bodies = [tuple(painted(p) for p in scene.bodies[i].parts) for i in scene.bodies_of(instance)]
    return _with_twin(scene, start, instance, tuple(bodies))


def _shape(rng: np.random.Generator, scene: Scene, start: int, instance: int) -> Scene:
    """The object becomes a single primitive that it was not, in its colour and of its size."""
    indices = scene.bodies_of(instance)
    first = scene.bodies[indices[0]].parts
    main = max(first, key=lambda p: float(np.prod(p.half_size_m)))
    options = [s for s in ("box", "sphere", "cylinder", "cone") if len(first) > 1 or s != main.shape]
    length, width, height = scene.objects[instance].size_m
    shape = options[int(rng.integers(len(options)))]
    size: Vec3 = (length / 2, width / 2, height / 2)
    if shape in ("cylinder", "cone"):  # round about the vertical
        size = (min(length, width) / 2, min(length, width) / 2, height / 2)
    part = Part(shape, size, main.material)  # type: ignore[arg-type]
    twin = _with_twin(scene, start, instance, ((part,), *(scene.bodies[i].parts for i in indices[1:])))
    present = _present(twin)
    present[:, len(scene.bodies) + 1 :] = False  # the limbs go, too
    return replace(twin, present=present)


def _size(rng: np.random.Generator, scene: Scene, start: int, instance: int) -> Scene:
    """It grows or shrinks by half, and keeps standing where it stood."""
    factor = float(rng.choice([rng.uniform(0.5, 0.65), rng.uniform(1.45, 1.7)]))
    indices = scene.bodies_of(instance)
    position, scale = scene.position_m.copy(), _scale(scene)
    foot = position[start:, indices[:1]].copy()
    foot[..., 2] = box_points(scene, instance)[start:, :, 2].min(-1, keepdims=True)
    position[start:, indices] = foot + factor * (position[start:, indices] - foot)
    scale[start:, indices] *= factor
    return replace(scene, position_m=position, scale=scale)


def _teleport(rng: np.random.Generator, scene: Scene, start: int, instance: int) -> Scene:
    """It jumps sideways, towards the middle of the picture, by more than its own width."""
    right = scene.camera.c2w[start, :3, 0]
    first = scene.bodies_of(instance)[0]
    aside = float((scene.position_m[start, first] - scene.camera.c2w[start, :3, 3]) @ right)
    jump = (1.3 + 0.7 * rng.random()) * max(scene.objects[instance].size_m[:2])
    position = scene.position_m.copy()
    flat = np.array([right[0], right[1], 0.0]) / np.hypot(right[0], right[1])
    position[start:, scene.bodies_of(instance)] += -np.sign(aside + 1e-9) * jump * flat
    return replace(scene, position_m=position)


def _vanish(rng: np.random.Generator, scene: Scene, start: int, instance: int) -> Scene:  # noqa: ARG001
    present = _present(scene)
    present[start:, scene.bodies_of(instance)] = False
    return replace(scene, present=present)


def _shift(rng: np.random.Generator, scene: Scene, start: int, instance: int) -> Scene:  # noqa: ARG001
    """The scenery jumps while the objects stay: the ground's pattern, and walls or kerbs along with it."""
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 0.7)
    step = length * np.array([np.cos(angle), np.sin(angle)])
    offset = np.zeros((scene.num_frames, 2)) if scene.ground_offset_m is None else scene.ground_offset_m.copy()
    offset[start:] += step
    position = scene.position_m.copy()
    position[start:, scene.bodies_of(STUFF), :2] -= step  # a texture offset by +step looks moved by -step
    return replace(scene, ground_offset_m=offset, position_m=position)


def _swap(rng: np.random.Generator, scene: Scene, start: int, instance: int) -> Scene:
    """Two objects exchange their places and, from then on, their ways; ``ValueError`` where one is alone."""
    others = [int(i) for i in np.flatnonzero(_clear(scene)[start]) if i != instance]
    if not others:
        raise NoPlaceError("an identity swap needs two objects in the picture; choose another violation")
    like = [i for i in others if scene.objects[i].category == scene.objects[instance].category]
    other = int(rng.choice(like or others))
    a, b = scene.bodies_of(instance), scene.bodies_of(other)
    way = scene.position_m[start:, b[0]] - scene.position_m[start:, a[0]]
    low_a, low_b = (box_points(scene, i)[start:, :, 2].min(-1) for i in (instance, other))
    way[:, 2] = low_b - low_a  # each stands where the other one stood
    position = scene.position_m.copy()
    position[start:, a] += way[:, None]
    position[start:, b] -= way[:, None]
    return replace(scene, position_m=position)


KINDS: dict[str, Edit] = {
    "colour": _colour,
    "shape": _shape,
    "size": _size,
    "teleport": _teleport,
    "vanish": _vanish,
    "shift": _shift,
    "swap": _swap,
}


def _clear(scene: Scene) -> Bools:
    """Which objects are in view, large enough and mostly uncovered, so that an edit shows: ``[frames, objects]``."""
    count = len(scene.objects)
    large = np.stack([picture_share(scene, i) for i in range(count)], axis=1) >= _FEWEST_SEEN
    inside = np.stack([in_picture(scene, box_points(scene, i)).mean(-1) for i in range(count)], axis=1) > 0.5
    shown = large & inside
    candidates = np.flatnonzero(shown.any(0))
    shown[:, candidates] &= hidden_share(scene, targets=candidates.tolist()) < 0.3
    return shown


def _hidden_moment(scene: Scene, clear: Bools) -> tuple[int, int] | None:
    """An object and the middle of the frames in which it is certainly hidden, clear to see before and after."""
    candidates = np.flatnonzero(clear.any(0)).tolist()
    if not candidates:
        return None
    for instance in np.compress((hidden_share(scene, targets=candidates) == 1).any(0), candidates).tolist():
        others = [i for i in range(len(scene.objects)) if i != instance]
        frames = np.flatnonzero(hidden_points(scene, instance, others, certain=True).all(-1))
        if len(frames):
            middle = int(frames[len(frames) // 2])
            covered = hidden_points(scene, instance, others, certain=False)
            seen = clear[:, instance] & ((~covered & in_picture(scene, box_points(scene, instance))).mean(-1) > 0.5)
            if seen[:middle].any() and seen[middle:].any():
                return instance, middle
    return None


def violate(rng: np.random.Generator, scene: Scene, kind: str) -> Scene:
    """A copy of ``scene`` that is broken from some frame on, its ``violation`` and ``violation_frame`` set.

    An object that others hide completely for a moment is changed in that moment half of the time; every other edit
    happens in view. Raises ``ValueError`` for an unknown kind, a clip that is violated already or shorter than six
    frames, or one in which no object is large enough to see a change.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown violation {kind!r}; use one of {', '.join(KINDS)}")
    if scene.violation:
        raise ValueError(f"the scene already has the violation {scene.violation!r}; start from a clean one")
    if scene.num_frames < 2 * _EARLIEST + 2:
        raise ValueError(f"{scene.num_frames} frames are too few to show a before and an after")
    clear = _clear(scene)
    hidden = _hidden_moment(scene, clear) if kind not in ("shift", "swap") and rng.random() < 0.5 else None
    if hidden is not None:
        instance, start = hidden
    else:
        enough = clear.sum(1) >= (2 if kind == "swap" else 1)
        starts = np.flatnonzero(enough[_EARLIEST:-_EARLIEST]) + _EARLIEST
        if not len(starts):
            raise NoPlaceError(f"too few objects are in view and large enough for {kind!r}; choose another scene")
        start = int(rng.choice(starts))
        instance = int(rng.choice(np.flatnonzero(clear[start])))
    return replace(KINDS[kind](rng, scene, start, instance), violation=kind, violation_frame=start)
