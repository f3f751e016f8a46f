"""Scene samplers, one per family: a random generator in, a clean `TinyScene` out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from worldr1.worlds.tiny.motion import FIXED, MOVES, camera_path
from worldr1.worlds.tiny.scene import COLOURS, GROUNDS, SHAPES, TinyScene

FOV_DEG = 48.0


def _static(
    rng: np.random.Generator, num_frames: int, positions: list[tuple[float, float]], half_sizes: list[float]
) -> TinyScene:
    """A scene of resting objects with distinct colours, still without its camera."""
    n = len(positions)
    shape = rng.integers(0, len(SHAPES), n)
    colour = rng.permutation(len(COLOURS))[:n]
    half = np.array(half_sizes, np.float32)
    centre = np.column_stack([np.array(positions, np.float32).reshape(n, 2), half])

    def repeat(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.repeat(np.asarray(x)[None], num_frames, axis=0)

    return TinyScene(
        family="",
        shape=repeat(shape).astype(np.int32),
        colour=repeat(colour).astype(np.int32),
        half_size_m=repeat(half),
        position_m=repeat(centre),
        yaw_rad=repeat(rng.uniform(0, math.pi, n).astype(np.float32)),
        ground=int(rng.integers(len(GROUNDS))),
        ground_offset_m=repeat(rng.uniform(-1, 1, 2).astype(np.float32)),
        c2w=np.zeros((num_frames, 4, 4), np.float32),
        fov_deg=FOV_DEG,
        camera_move=FIXED,
    )


def landmarks(rng: np.random.Generator, num_frames: int) -> TinyScene:
    """One or two resting objects; the camera orbits, pushes, pulls or trucks."""
    count = int(rng.integers(1, 3))
    half_sizes = [float(h) for h in rng.uniform(0.46, 0.66, count)]
    angle, middle = rng.uniform(0, 2 * math.pi), rng.uniform(-0.15, 0.15, 2)
    if count == 1:
        positions = [(middle[0], middle[1])]
    else:  # opposite each other, with a gap, so that both stay in the picture
        gap = sum(half_sizes) * rng.uniform(0.62, 0.8) + 0.1
        offset = gap * np.array([math.cos(angle), math.sin(angle)])
        positions = [tuple(middle + offset), tuple(middle - offset)]
    scene = _static(rng, num_frames, positions, half_sizes)
    scene.family = "landmarks"
    scene.camera_move = str(rng.choice(MOVES))
    scene.c2w = camera_path(
        scene.camera_move,
        num_frames,
        azimuth_rad=rng.uniform(0, 2 * math.pi),
        height_m=rng.uniform(1.2, 1.6),
        distance_m=rng.uniform(3.4, 3.9),
        magnitude=rng.uniform(0.8, 1.2),
    )
    return scene


def occluder(rng: np.random.Generator, num_frames: int) -> TinyScene:
    """A smaller object passes behind a larger one and comes out on the other side; the camera rests.

    The paths are constructed, not drawn and rejected: object 0 moves behind object 1 in every clip.
    """
    azimuth = rng.uniform(0, 2 * math.pi)
    outward = np.array([math.cos(azimuth), math.sin(azimuth)])
    right = np.array([-math.sin(azimuth), math.cos(azimuth)])
    mover_half, blocker_half = float(rng.uniform(0.36, 0.44)), float(rng.uniform(0.56, 0.66))
    blocker = outward * rng.uniform(0.35, 0.55) + right * rng.uniform(-0.15, 0.15)
    scene = _static(rng, num_frames, [(0.0, 0.0), tuple(blocker)], [mover_half, blocker_half])
    direction = int(rng.choice([-1, 1]))
    travel = np.linspace(-1, 1, num_frames)[:, None] * direction * rng.uniform(1.35, 1.6)
    depth = -outward * rng.uniform(0.65, 0.9)
    scene.position_m[:, 0, :2] = depth + blocker @ right * right + travel * right
    scene.family = "occluder"
    scene.c2w = camera_path(
        FIXED,
        num_frames,
        azimuth_rad=azimuth,
        height_m=rng.uniform(1.2, 1.5),
        distance_m=rng.uniform(3.5, 3.8),
    )
    scene.facts["mover"] = 0
    scene.facts["direction"] = "right" if direction > 0 else "left"
    return scene


FAMILIES = {"landmarks": landmarks, "occluder": occluder}
