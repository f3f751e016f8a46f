"""Tiny scenes as per-frame state: what is where at every frame, so that motion and violations are edits of arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from worldr1.worlds import scene as worlds

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

SHAPES: tuple[worlds.Shape, ...] = ("box", "sphere", "cylinder")
CYLINDER_RADIUS = 0.75  # of the half side of the cube that a shape stands in
BAND_SHADE = 0.78  # of the darker bands on an object
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
GROUND_REPEAT_M = {"grass": 2.0, "sand": 1.5, "tiles": 2.5}
ABSENT = -1  # value of `shape` at a frame where the object does not exist


@dataclass
class TinyScene:
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

    def to_scene(self) -> worlds.Scene:
        """The same scene in the renderers' terms: one body per look that an object ever has, present while it does."""
        bodies, poses, present, objects = [], [], [], []
        for i in range(self.num_objects):
            looks = list(zip(self.shape[:, i], self.colour[:, i], self.half_size_m[:, i], strict=True))
            for look in dict.fromkeys(looks):
                if look[0] == ABSENT:
                    continue
                bodies.append(worlds.Body((_part(*look),), i))
                present.append([other == look for other in looks])
                turn = self.yaw_rad[:, i].astype(np.float64) / 2
                zero = np.zeros_like(turn)
                rotation = np.stack([zero, zero, np.sin(turn), np.cos(turn)], -1)
                poses.append((self.position_m[:, i].astype(np.float64), rotation))
            objects.append(_object_info(SHAPES[self.shape[0, i]], *looks[0][1:]))
        frames, count = self.num_frames, len(bodies)
        colour, second = list(GROUNDS.values())[self.ground]
        name = list(GROUNDS)[self.ground]
        focal_mm = 18 / np.tan(np.radians(self.fov_deg) / 2)
        return worlds.Scene(
            family=self.family,
            seed=0,
            bodies=tuple(bodies),
            objects=tuple(objects),
            position_m=np.stack([p for p, _ in poses], 1) if poses else np.zeros((frames, 0, 3)),
            rotation=np.stack([r for _, r in poses], 1) if poses else np.zeros((frames, 0, 4)),
            camera=worlds.CameraTrack(self.c2w.astype(np.float64), np.full(frames, focal_mm), 36.0),
            environment=worlds.Environment(worlds.Material(name, colour, second, GROUND_REPEAT_M[name])),  # type: ignore[arg-type]
            present=np.array(present, bool).reshape(count, frames).T,
            ground_offset_m=self.ground_offset_m.astype(np.float64),
            violation=self.violation,
            violation_frame=self.violation_frame,
        )


def _part(shape: int, colour: int, half: float) -> worlds.Part:
    rgb, half = list(COLOURS.values())[colour], float(half)
    wide = half * CYLINDER_RADIUS if SHAPES[shape] == "cylinder" else half
    darker = tuple(BAND_SHADE * c for c in rgb)
    # two darker bands, so that the surface can be followed
    material = worlds.Material("bands", rgb, darker, half)  # type: ignore[arg-type]
    return worlds.Part(SHAPES[shape], (wide, wide, half), material)


def _object_info(shape: str, colour: int, half: float) -> worlds.ObjectInfo:
    half = float(half)
    wide = half * CYLINDER_RADIUS if shape == "cylinder" else half
    share = {"box": 1.0, "sphere": np.pi / 6, "cylinder": np.pi / 4}[shape]  # of the box around it
    volume = float(share * 8 * wide * wide * half)
    return worlds.ObjectInfo(shape, list(COLOURS)[colour], (2 * wide, 2 * wide, 2 * half), volume)


def intrinsics(fov_deg: float, height: int, width: int) -> Floats:
    """Pinhole matrix ``[3, 3]`` in pixels for a horizontal field of view."""
    focal = 0.5 * width / np.tan(np.radians(fov_deg) / 2)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]], np.float32)
