"""Cameras that no camera moves like; amounts and errors as in `corruptions`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from worldr1.evaluate.bench.edits import SceneEdit, ramp
from worldr1.worlds.filmed import distance_to_focus, focus
from worldr1.worlds.scene import Floats, Scene


def _with_poses(scene: Scene, c2w: Floats) -> Scene:
    return replace(scene, camera=replace(scene.camera, c2w=c2w))


def slowed(scene: Scene, speed: float) -> Scene:
    """The camera covers the first ``speed`` (0 to 1) of its path in the whole clip."""
    frames = scene.num_frames
    time, wanted = np.arange(frames), speed * np.arange(frames)
    c2w = scene.camera.c2w.copy()
    c2w[:, :3, :3] = Slerp(time, Rotation.from_matrix(c2w[:, :3, :3]))(wanted).as_matrix()
    c2w[:, :3, 3] = np.stack([np.interp(wanted, time, scene.camera.c2w[:, k, 3]) for k in range(3)], axis=-1)
    return _with_poses(scene, c2w)


def parallax_free_pan(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """The camera turns on the spot, by 16 degrees times the amount, where it was to travel."""
    angle = rng.choice([-1.0, 1.0]) * np.radians(16.0) * amount * np.linspace(0, 1, scene.num_frames)
    c2w = np.repeat(scene.camera.c2w[:1], scene.num_frames, axis=0)
    c2w[:, :3, :3] = Rotation.from_rotvec(angle[:, None] * [0, 0, 1]).as_matrix() @ c2w[:, :3, :3]
    return _with_poses(scene, c2w)


def camera_jump(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """From one frame to the next the camera stands elsewhere."""
    start = int(rng.integers(scene.num_frames // 3, 2 * scene.num_frames // 3 + 1))
    c2w = scene.camera.c2w.copy()
    c2w[start:, :3, 3] += rng.choice([-1.0, 1.0]) * 0.16 * amount * distance_to_focus(scene) * c2w[start, :3, 0]
    return _with_poses(scene, c2w)


def hard_cut(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """A cut to the same scene from another side, by 70 degrees times the amount."""
    start = int(rng.integers(scene.num_frames // 3, 2 * scene.num_frames // 3 + 1))
    turn = Rotation.from_rotvec([0, 0, rng.choice([-1.0, 1.0]) * np.radians(70.0) * amount]).as_matrix()
    c2w, pivot = scene.camera.c2w.copy(), focus(scene)
    c2w[start:, :3, :3] = turn @ c2w[start:, :3, :3]
    c2w[start:, :3, 3] = (c2w[start:, :3, 3] - pivot) @ turn.T + pivot
    return _with_poses(scene, c2w)


def frame_order(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """After the first, views change places with near ones: sorted by a time that is off by a deviation of two frames
    times the amount."""
    time = np.arange(1, scene.num_frames)
    shuffled = time[np.argsort(time + 2.0 * amount * rng.normal(size=len(time)))]
    return _with_poses(scene, scene.camera.c2w[[0, *shuffled]])


def focal_breathing(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """The focal length swings with a period of nine frames, and everything seems to breathe."""
    phase = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(scene.num_frames) / 9
    swing = 1 + 0.1 * amount * np.sin(phase) * ramp(scene.num_frames, 0.0, 0.15)
    return replace(scene, camera=replace(scene.camera, focal_mm=scene.camera.focal_mm * swing))


def jitter(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """Every frame is aimed and placed anew, as no mass can be."""
    c2w = scene.camera.c2w.copy()
    aim = Rotation.from_rotvec(np.radians(1.2) * amount * rng.normal(size=(scene.num_frames, 3))).as_matrix()
    c2w[:, :3, :3] = c2w[:, :3, :3] @ aim
    c2w[:, :3, 3] += 0.02 * amount * distance_to_focus(scene) * rng.normal(size=(scene.num_frames, 3)) * [1, 1, 0.5]
    return _with_poses(scene, c2w)


CAMERA: Mapping[str, SceneEdit] = {
    "parallax-free pan": parallax_free_pan,
    "camera jump": camera_jump,
    "hard cut": hard_cut,
    "frame order": frame_order,
    "focal breathing": focal_breathing,
    "jitter": jitter,
}
