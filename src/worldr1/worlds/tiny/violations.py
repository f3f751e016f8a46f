"""Edits that break a world: the flaws that half of the tiny model's training clips carry on purpose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from worldr1.worlds.tiny.scene import ABSENT, COLOURS, SHAPES, TinyScene

Edit = Callable[[np.random.Generator, TinyScene, int, int], None]


def _colour(rng: np.random.Generator, scene: TinyScene, start: int, target: int) -> None:
    # at least two steps round the colour circle, so that nobody can call it a change of light
    step = int(rng.integers(2, len(COLOURS) - 1))
    scene.colour[start:, target] = (scene.colour[0, target] + step) % len(COLOURS)


def _shape(rng: np.random.Generator, scene: TinyScene, start: int, target: int) -> None:
    step = int(rng.integers(1, len(SHAPES)))
    scene.shape[start:, target] = (scene.shape[0, target] + step) % len(SHAPES)


def _size(rng: np.random.Generator, scene: TinyScene, start: int, target: int) -> None:
    factor = float(rng.choice([rng.uniform(0.5, 0.62), rng.uniform(1.45, 1.65)]))
    scene.half_size_m[start:, target] *= factor
    scene.position_m[start:, target, 2] *= factor  # it keeps standing on the ground


def _teleport(rng: np.random.Generator, scene: TinyScene, start: int, target: int) -> None:
    right = scene.c2w[start, :2, 0]
    sideways = -np.sign(scene.in_camera(start, target)[0] + 1e-6)  # towards the middle: it stays in view
    scene.position_m[start:, target, :2] += sideways * rng.uniform(0.9, 1.3) * right


def _vanish(rng: np.random.Generator, scene: TinyScene, start: int, target: int) -> None:  # noqa: ARG001
    scene.shape[start:, target] = ABSENT


def _shift(rng: np.random.Generator, scene: TinyScene, start: int, target: int) -> None:  # noqa: ARG001
    angle = rng.uniform(0, 2 * np.pi)
    scene.ground_offset_m[start:] += 0.7 * np.array([np.cos(angle), np.sin(angle)], np.float32)


KINDS: dict[str, Edit] = {
    "colour": _colour,
    "shape": _shape,
    "size": _size,
    "teleport": _teleport,
    "vanish": _vanish,
    "shift": _shift,
}


def violate(rng: np.random.Generator, scene: TinyScene, kind: str) -> TinyScene:
    """Break ``scene`` in place from some frame on and record how.

    In the occluder family the moving object is changed while it is most hidden, half of the time; every
    other violation happens in view. Raises ``KeyError`` for an unknown kind.
    """
    frames = scene.num_frames
    start = int(rng.integers(2, frames - 2))
    target = int(rng.integers(scene.num_objects))
    if scene.family == "occluder" and kind != "shift":
        target = int(scene.facts["mover"])  # type: ignore[call-overload]
        if rng.random() < 0.5:
            start = frames // 2
    KINDS[kind](rng, scene, start, target)
    scene.violation, scene.violation_frame = kind, start
    return scene
