"""Camera moves as film names them, composed into a track.

Directions are the camera's own: "orbit left" travels to the camera's left around a pivot in front of it (clockwise
seen from above), "roll clockwise" turns the camera clockwise as seen from behind it, so the picture turns the other
way. Pan and orbit turn about the vertical, as a tripod head and a turntable do, so that the horizon stays level;
every other move is along or about the camera's own axes at that moment. Zoom changes the focal length and nothing
else; with a dolly the other way it is the dolly zoom.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from worldr1.types import CameraPath
from worldr1.worlds.scene import CameraTrack, Floats, Move, Vec3

Ease = Literal["linear", "smooth"]

# Unit of each primitive's magnitude; "x" is a ratio of focal lengths.
KINDS: dict[str, str] = {
    "dolly in": "m",
    "dolly out": "m",
    "truck left": "m",
    "truck right": "m",
    "pedestal up": "m",
    "pedestal down": "m",
    "pan left": "deg",
    "pan right": "deg",
    "tilt up": "deg",
    "tilt down": "deg",
    "roll clockwise": "deg",
    "roll counterclockwise": "deg",
    "orbit left": "deg",
    "orbit right": "deg",
    "zoom in": "x",
    "zoom out": "x",
    "fixed": "",
}
_NAMES = list(KINDS)[:-1]  # in pairs of opposites, "fixed" left out
OPPOSITE: dict[str, str] = {name: _NAMES[i ^ 1] for i, name in enumerate(_NAMES)}
MAX_MOVES = 3

_TRAVEL = {  # in the camera's axes
    "dolly in": (0, 0, 1),
    "dolly out": (0, 0, -1),
    "truck left": (-1, 0, 0),
    "truck right": (1, 0, 0),
    "pedestal up": (0, -1, 0),
    "pedestal down": (0, 1, 0),
}
_TURN = {  # axis, right-handed sense: the camera's axes, for pan and orbit the world's
    "tilt up": (0, 1),
    "tilt down": (0, -1),
    "roll clockwise": (2, 1),
    "roll counterclockwise": (2, -1),
    "pan left": (2, 1),
    "pan right": (2, -1),
    "orbit left": (2, -1),
    "orbit right": (2, 1),
}
_SUBSTEPS = 16  # per frame where moves overlap: they do not commute, so their composition is integrated
_SHAKE_PERIOD_FRAMES = (6.0, 30.0)  # of a hand: slow enough that neighbouring frames stay alike


def check_moves(moves: Sequence[Move]) -> None:
    """Raise ``ValueError`` where ``moves`` cannot be filmed: too many, unknown kind, bad span or magnitude."""
    if not 1 <= len(moves) <= MAX_MOVES:
        raise ValueError(f"{len(moves)} camera moves; give one to {MAX_MOVES}, or 'fixed' for a still camera")
    for move in moves:
        if move.kind not in KINDS:
            near = difflib.get_close_matches(move.kind, KINDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(KINDS)}"
            raise ValueError(f"unknown camera move {move.kind!r}; {hint}")
        if not 0 <= move.start < move.end <= 1:
            raise ValueError(f"{move.kind}: span {move.start} to {move.end}; give shares with 0 <= start < end <= 1")
        if move.ease not in ("linear", "smooth"):
            raise ValueError(f"{move.kind}: unknown ease {move.ease!r}; use 'linear' or 'smooth'")
        least = 1.0 if KINDS[move.kind] == "x" else 0.0
        if move.kind == "fixed" and move.magnitude != 0:
            raise ValueError(f"a fixed camera has magnitude 0, not {move.magnitude}")
        if move.kind != "fixed" and not (np.isfinite(move.magnitude) and move.magnitude > least):
            raise ValueError(
                f"{move.kind}: magnitude {move.magnitude}; give a number above {least:g}, the kind says the direction"
            )


def progress(move: Move, time: Floats) -> Floats:
    """Share of ``move`` that is done at shares ``time`` of the clip, in [0, 1].

    "smooth" is the minimum-jerk profile (Flash & Hogan, J. Neurosci. 1985, eq. 4): velocity and acceleration vanish
    at both ends.
    """
    u = np.clip((time - move.start) / (move.end - move.start), 0, 1)
    return u if move.ease == "linear" else u**3 * (10 - 15 * u + 6 * u**2)


def there_and_back(kind: str, magnitude: float, ease: Ease = "smooth") -> tuple[Move, Move]:
    """A move over the first half of the clip and its undoing over the second: ``("pan left", 360)`` is a full turn
    and return. The frame in the middle exists where the number of frames is odd."""
    if kind not in OPPOSITE:
        raise ValueError(f"{kind!r} has no way back; use one of {', '.join(OPPOSITE)}")
    return Move(kind, 0.0, 0.5, magnitude, ease), Move(OPPOSITE[kind], 0.5, 1.0, magnitude, ease)


def look_at(eye_m: Vec3, target_m: Vec3) -> Floats:
    """Camera-to-world matrix ``[4, 4]`` of a level camera. ``ValueError`` where it would look straight up or down."""
    forward = np.subtract(target_m, eye_m).astype(np.float64)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    if np.linalg.norm(right) <= 1e-6 * max(float(np.linalg.norm(forward)), 1e-6):
        raise ValueError(f"eye {eye_m} and target {target_m} define no level camera; move one of them sideways")
    forward /= np.linalg.norm(forward)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.stack([right, np.cross(forward, right), forward, np.asarray(eye_m, np.float64)], axis=-1)
    return pose


def camera_track(
    moves: Sequence[Move],
    num_frames: int,
    *,
    eye_m: Vec3,
    target_m: Vec3,
    focal_mm: float = 40.0,
    sensor_mm: float = 36.0,
    shake_deg: float = 0.0,
    seed: int = 0,
) -> CameraTrack:
    """Compose up to three moves, one after another or at once, into a track of ``num_frames`` poses.

    The first frame is at ``eye_m`` and faces ``target_m``. An orbit's pivot is the point of the optical axis that is
    as far as ``target_m`` when the orbit starts: ``target_m`` itself unless the camera turned or stepped aside
    before, and always in front. A zoom is linear in the focal length, so that with a dolly of the same ease and span
    what is at the target keeps its size. ``shake_deg`` adds a hand's rotation with that RMS angle, drawn by ``seed``.
    Raises ``ValueError`` for what `check_moves` refuses, fewer than two frames, or a view that is not defined.
    """
    check_moves(moves)
    if num_frames < 2:
        raise ValueError(f"{num_frames} frames; a camera track needs at least 2")
    if focal_mm <= 0 or sensor_mm <= 0 or shake_deg < 0:
        raise ValueError(f"focal {focal_mm} and sensor {sensor_mm} mm must be positive, shake {shake_deg} not negative")
    ordered = sorted(moves, key=lambda m: (m.start, m.end))  # one that ends before another starts acts first in a frame
    overlap = any(a.end > b.start for a, b in itertools.pairwise(ordered))
    substeps = _SUBSTEPS if overlap else 1
    time = np.linspace(0, 1, (num_frames - 1) * substeps + 1)
    done = [progress(m, time) for m in ordered]

    pose, target = look_at(eye_m, target_m), np.asarray(target_m, np.float64)
    pivots: dict[int, Floats] = {}
    poses = [pose]
    for step in range(1, len(time)):
        # where moves overlap, every other substep takes them in reverse: the splitting is then of second order (Strang)
        turn = reversed(range(len(ordered))) if overlap and step % 2 == 0 else range(len(ordered))
        for index in turn:
            move = ordered[index]
            amount = (done[index][step] - done[index][step - 1]) * move.magnitude
            if amount > 0 and not move.kind.startswith(("zoom", "fixed")):
                if move.kind.startswith("orbit") and index not in pivots:
                    pivots[index] = pose[:3, 3] + pose[:3, 2] * np.linalg.norm(target - pose[:3, 3])
                pose = _advance(pose, move.kind, amount, pivots.get(index))
        poses.append(pose)
    c2w = np.stack(poses[::substeps])
    c2w[:, :3, :3] = c2w[:, :3, :3] @ _shake(num_frames, shake_deg, seed)

    focal = np.full(num_frames, focal_mm, np.float64)
    for move, share in zip(ordered, done, strict=True):
        if move.kind.startswith("zoom"):
            ratio = move.magnitude if move.kind == "zoom in" else 1 / move.magnitude
            focal *= 1 + (ratio - 1) * share[::substeps]
    return CameraTrack(c2w, focal, sensor_mm, tuple(moves), shake_deg)


def _advance(pose: Floats, kind: str, amount: float, pivot: Floats | None) -> Floats:
    pose = pose.copy()
    if kind in _TRAVEL:
        pose[:3, 3] += pose[:3, :3] @ np.multiply(_TRAVEL[kind], amount)
        return pose
    axis, sign = _TURN[kind]
    turn = _rotation(axis, sign * np.deg2rad(amount))
    if kind.startswith(("tilt", "roll")):
        pose[:3, :3] = pose[:3, :3] @ turn
    else:
        pose[:3, :3] = turn @ pose[:3, :3]
        if pivot is not None:
            pose[:3, 3] = pivot + turn @ (pose[:3, 3] - pivot)
    return pose


def _rotation(axis: int, angle: float | Floats) -> Floats:
    """Right-handed rotations ``[..., 3, 3]`` about a coordinate axis, radians."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((*np.shape(angle), 3, 3))
    matrix[..., axis, axis] = 1
    matrix[..., i, i] = matrix[..., j, j] = np.cos(angle)
    matrix[..., j, i] = np.sin(angle)
    matrix[..., i, j] = -matrix[..., j, i]
    return matrix


def _shake(num_frames: int, rms_deg: float, seed: int) -> Floats:
    """Small rotations ``[frames, 3, 3]``, the first the identity, of the given RMS angle; sums of slow sines."""
    if rms_deg == 0:
        return np.tile(np.eye(3), (num_frames, 1, 1))
    rng = np.random.default_rng((seed, num_frames))
    fast, slow = _SHAKE_PERIOD_FRAMES
    rate = rng.uniform(1 / slow, 1 / fast, (4, 3))  # cycles per frame, per axis
    phase = rng.uniform(0, 2 * np.pi, (4, 3))
    angle = np.sin(2 * np.pi * rate * np.arange(num_frames)[:, None, None] + phase).sum(1)  # [frames, 3]
    angle -= angle[0]
    angle *= np.deg2rad(rms_deg) / np.sqrt((angle**2).sum(-1).mean())
    return (
        _rotation(0, angle[:, 0]) @ _rotation(1, angle[:, 1]) @ _rotation(2, angle[:, 2])
    )  # small: order is no matter


def to_camera_path(track: CameraTrack, height: int, width: int) -> CameraPath:
    """``track`` for pictures of ``height`` by ``width`` pixels, in float32."""
    K = track.intrinsics(height, width)
    return CameraPath(torch.from_numpy(track.c2w).float(), torch.from_numpy(K).float())
