"""Scenes as per-frame state: what is where at every frame, so that motion and violations are edits of arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

SHAPES = ("box", "sphere", "cylinder")
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.85, 0.10, 0.10),
    "orange": (0.95, 0.50, 0.05),
    "yellow": (0.92, 0.85, 0.12),
    "cyan": (0.10, 0.75, 0.80),
    "blue": (0.12, 0.20, 0.85),
    "purple": (0.55, 0.12, 0.70),
}
GROUNDS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "grass": ((0.16, 0.38, 0.12), (0.30, 0.58, 0.24)),
    "sand": ((0.66, 0.55, 0.34), (0.86, 0.76, 0.55)),
    "tiles": ((0.72, 0.72, 0.74), (0.26, 0.26, 0.30)),
}
MAX_OBJECTS = 2
ABSENT = -1  # value of `shape` at a frame where the object does not exist


@dataclass
class Scene:
    """A clip before it is rendered. Leading axis: frames; world z-up, metres."""

    family: str
    shape: Ints  # [frames, objects] index into SHAPES, or ABSENT
    colour: Ints  # [frames, objects] index into COLOURS
    half_size_m: Floats  # [frames, objects] half extent; every shape fits the cube of this half side
    position_m: Floats  # [frames, objects, 3] centre
    yaw_rad: Floats  # [frames, objects]
    ground: int  # index into GROUNDS
    ground_offset_m: Floats  # [frames, 2] where the ground's texture is anchored
    c2w: Floats  # [frames, 4, 4]
    fov_deg: float
    camera_move: str
    facts: dict[str, object] = field(default_factory=dict)
    violation: str = ""
    violation_frame: int = -1

    @property
    def num_frames(self) -> int:
        return int(self.shape.shape[0])

    @property
    def num_objects(self) -> int:
        return int(self.shape.shape[1])

    def object_name(self, index: int) -> str:
        """Colour and shape of an object as they are in the first frame, before any violation."""
        return f"{list(COLOURS)[self.colour[0, index]]} {SHAPES[self.shape[0, index]]}"

    def in_camera(self, frame: int, index: int) -> Floats:
        """Centre of an object in the camera's axes (x right, y down, z forward), metres: ``[3]``."""
        homogeneous = np.append(self.position_m[frame, index], 1.0)
        point: Floats = (np.linalg.inv(self.c2w[frame]) @ homogeneous)[:3].astype(np.float32)
        return point


def intrinsics(fov_deg: float, height: int, width: int) -> Floats:
    """Pinhole matrix ``[3, 3]`` in pixels for a horizontal field of view."""
    focal = 0.5 * width / np.tan(np.radians(fov_deg) / 2)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]], np.float32)
