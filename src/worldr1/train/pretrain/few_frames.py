"""Which frames of general worlds the depth network is trained on: a few of each of many clips."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from worldr1.train.pretrain.walls import with_wall
from worldr1.worlds.assets.surfaces import untextured
from worldr1.worlds.families import FAMILIES, scene_at
from worldr1.worlds.filmed import PATHS, film, world
from worldr1.worlds.scene import CameraTrack, Floats, Scene
from worldr1.worlds.stages import STAGES

Integers = npt.NDArray[np.int64]

DIFFICULTIES: tuple[Literal["easy", "medium", "hard"], ...] = ("easy", "medium", "hard")
TURN_DEG = (12.0, 5.0, 4.0)  # spread of the yaw, pitch and roll that half of the cameras are turned by
BARE = 0.12  # share of the clips that are in plain colours
ZOOM = 0.25  # and half of the range of the logarithm of their change of focal length
_FILMED_FRAMES, _BUILT_IN = 17, 0.2  # of a filmed clip; share of them with something built in
_FILMED_TURN_DEG, _FILMED_ZOOM = (6.0, 4.0, 3.0), 0.15  # less: how they are framed is what they are for


@dataclass(frozen=True)
class FramesConfig:
    """A few frames each of many clips, by default all families in turn; the same values give the same frames."""

    clips: int = 18432
    frames: int = 4  # of each clip
    size: int = 64
    seed: int = 1
    every_second: str | None = None  # family of every second clip; the others take turns in the rest
    walls: float = 0.0  # share of the clips that a wall or a board is built into
    filmed: bool = False  # not families' own clips but `worlds.filmed`, along its paths in turn
    measured: int = 16  # clips of each family, of another seed, that the network is measured on; 0: it is not


def few_frames(config: FramesConfig, index: int) -> Scene:
    """Clip ``index``, only ``config.frames`` of its frames, half of the time with its camera turned and zoomed, some in
    plain colours, ``config.walls`` of them with a wall."""
    if config.filmed:
        return _few_filmed(config, index)
    rng = np.random.default_rng((config.seed, index))
    scene = scene_at(family_of(config, index), config.seed, index, difficulty=DIFFICULTIES[int(rng.integers(3))])
    if config.walls and rng.random() < config.walls:  # without walls the other draws stay as they were
        scene = with_wall(scene, rng)
    return _few(scene, rng, config.frames, TURN_DEG, ZOOM)


def _few_filmed(config: FramesConfig, index: int) -> Scene:
    """As `few_frames`, of a world as the bench films it, a fifth of them with one of `STAGES` where it has a place."""
    rng = np.random.default_rng((config.seed, index))
    base = world(config.seed, index, _FILMED_FRAMES)
    scene = replace(base, camera=film(base, PATHS[index % len(PATHS)]))
    if rng.random() < _BUILT_IN:
        with suppress(ValueError):  # it has no place there
            scene = STAGES[str(rng.choice(list(STAGES)))](scene)
    return _few(scene, rng, config.frames, _FILMED_TURN_DEG, _FILMED_ZOOM)


def _few(
    scene: Scene, rng: np.random.Generator, frames: int, turn_deg: tuple[float, float, float], zoom: float
) -> Scene:
    if rng.random() < BARE:
        scene = untextured(scene)
    kept = np.sort(rng.choice(scene.num_frames, frames, replace=False))
    c2w, focal_mm = scene.camera.c2w[kept], scene.camera.focal_mm[kept]
    if rng.random() < 0.5:
        c2w, focal_mm = c2w @ turned(rng, turn_deg), focal_mm * math.exp(rng.uniform(-zoom, zoom))
    return refilmed(scene, kept, c2w, focal_mm)


def family_of(config: FramesConfig, index: int) -> str:
    """The family of clip ``index``."""
    if config.every_second is None:
        return list(FAMILIES)[index % len(FAMILIES)]
    others = [f for f in FAMILIES if f != config.every_second]
    return others[index // 2 % len(others)] if index % 2 else config.every_second


def turned(rng: np.random.Generator, spread_deg: tuple[float, float, float]) -> Floats:
    """A random turn ``[4, 4]`` of a camera with these deviations of yaw, pitch and roll."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("yxz", rng.normal(0, spread_deg), degrees=True).as_matrix()
    return turn


def refilmed(scene: Scene, kept: Integers, c2w: Floats, focal_mm: Floats) -> Scene:
    """The frames ``kept`` of a scene, from cameras ``c2w`` ``[frames, 4, 4]`` with these focal lengths."""

    def of(values: Any) -> Any:
        return None if values is None else values[kept]

    return replace(
        scene,
        position_m=scene.position_m[kept],
        rotation=scene.rotation[kept],
        present=of(scene.present),
        scale=of(scene.scale),
        ground_offset_m=of(scene.ground_offset_m),
        camera=CameraTrack(c2w, focal_mm, scene.camera.sensor_mm),
    )
