"""More bodies for a scene that is finished."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from worldr1.worlds.scene import Body, Bools, Floats, Scene


def add_body(
    scene: Scene,
    body: Body,
    position_m: Floats,
    rotation: Floats,
    present: Bools | None = None,
    scale: Floats | None = None,
) -> Scene:
    """One more body: ``position_m`` ``[frames, 3]``, ``rotation`` ``[frames, 4]``, ``scale`` ``[frames, 3]``."""
    frames, count = scene.position_m.shape[:2]
    was_present = np.ones((frames, count), bool) if scene.present is None else scene.present
    was_scale = np.ones((frames, count, 3)) if scene.scale is None else scene.scale
    there = np.ones(frames, bool) if present is None else present
    stretch = np.ones((frames, 3)) if scale is None else scale
    return replace(
        scene,
        bodies=(*scene.bodies, body),
        position_m=np.concatenate([scene.position_m, position_m[:, None]], axis=1),
        rotation=np.concatenate([scene.rotation, rotation[:, None]], axis=1),
        present=np.concatenate([was_present, there[:, None]], axis=1),
        scale=np.concatenate([was_scale, stretch[:, None]], axis=1),
    )


def facing(away: Floats, frames: int) -> Floats:
    """Rotations ``[frames, 4]`` of a body whose y axis points ``away``."""
    half = (np.arctan2(away[1], away[0]) - np.pi / 2) / 2
    return np.tile([0.0, 0.0, np.sin(half), np.cos(half)], (frames, 1))
