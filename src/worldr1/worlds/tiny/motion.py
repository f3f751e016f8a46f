"""Camera moves. Directions are the camera's own: to orbit left is to travel to the camera's left."""

from __future__ import annotations

import numpy as np

from worldr1.worlds.tiny.scene import Floats

MOVES = ("orbit left", "orbit right", "push in", "pull out", "truck left", "truck right")
FIXED = "fixed"
_DISTANCE_M = 3.6  # mean distance from the camera to the centre of the scene


def look_at(eye: Floats, target: Floats) -> Floats:
    """Camera-to-world matrices ``[frames, 4, 4]`` of cameras at ``eye`` facing ``target`` (both ``[frames, 3]``)."""
    forward = target - eye
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]))
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    c2w = np.tile(np.eye(4, dtype=np.float32), (len(eye), 1, 1))
    c2w[:, :3] = np.stack([right, np.cross(forward, right), forward, eye], axis=-1)
    return c2w


def camera_path(
    move: str,
    num_frames: int,
    *,
    azimuth_rad: float = 0.0,
    height_m: float = 1.4,
    distance_m: float = _DISTANCE_M,
    magnitude: float = 1.0,
) -> Floats:
    """Camera-to-world matrices ``[frames, 4, 4]`` of one move around the origin.

    ``magnitude`` 1 is an orbit of 1 rad, a push of 1.2 m or a truck of 1.2 m over the clip; the middle of a
    push or truck is at ``distance_m``. Raises ``ValueError`` for an unknown move.
    """
    t = np.linspace(0, 1, num_frames, dtype=np.float32)
    azimuth = np.full(num_frames, azimuth_rad, np.float32)
    distance = np.full(num_frames, distance_m, np.float32)
    sideways = np.zeros(num_frames, np.float32)
    if move == "orbit left":
        azimuth -= magnitude * t
    elif move == "orbit right":
        azimuth += magnitude * t
    elif move == "push in":
        distance -= 1.2 * magnitude * (t - 0.5)
    elif move == "pull out":
        distance += 1.2 * magnitude * (t - 0.5)
    elif move == "truck left":
        sideways -= 1.2 * magnitude * (t - 0.5)
    elif move == "truck right":
        sideways += 1.2 * magnitude * (t - 0.5)
    elif move != FIXED:
        raise ValueError(f"unknown camera move {move!r}; use one of {', '.join((*MOVES, FIXED))}")
    outward = np.stack([np.cos(azimuth), np.sin(azimuth), np.zeros_like(t)], axis=-1)
    right = np.stack([-np.sin(azimuth), np.cos(azimuth), np.zeros_like(t)], axis=-1)
    eye = distance[:, None] * outward + sideways[:, None] * right
    eye[:, 2] = height_m
    target = eye - distance[:, None] * outward
    target[:, 2] = 0.5
    return look_at(eye.astype(np.float32), target.astype(np.float32))
