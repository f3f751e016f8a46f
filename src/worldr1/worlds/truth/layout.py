"""Where a scene's objects are, in the world and in front of the camera, as arrays over frames and objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldr1.worlds.scene import Bools, Floats, Scene
from worldr1.worlds.truth.solids import SHAPES, Solids, rotation_matrices

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """Poses and extents of objects; parts carry the geometry of contacts."""

    fps: float
    position_m: Floats  # [frames, objects, 3] of the first body that is present
    rotation: Floats  # [frames, objects, 4]
    velocity_m_s: Floats  # [frames, objects, 3] to the next frame; the last frame repeats
    present: Bools  # [frames, objects]
    lo_m: Floats  # [frames, objects, 3] world-aligned box
    hi_m: Floats
    camera_lo_m: Floats  # [frames, objects, 3] box along the camera's axes
    camera_hi_m: Floats
    parts: Solids  # [frames * parts]
    part_object: Ints  # [parts]
    part_lo_m: Floats  # [frames, parts, 3]
    part_hi_m: Floats
    part_present: Bools  # [frames, parts]
    ground: bool  # whether there is a plane z = 0

    @property
    def centre_m(self) -> Floats:
        """Middle of the world-aligned boxes."""
        return (self.lo_m + self.hi_m) / 2

    @property
    def speed_m_s(self) -> Floats:
        """``[frames, objects]``."""
        return np.asarray(np.linalg.norm(self.velocity_m_s, axis=-1))

    @property
    def screen(self) -> tuple[Floats, Floats]:
        """Left and right ends ``[frames, objects]`` in the image as x/z, NaN for what reaches behind the camera.

        Those of the box's middle slice, which is what the eye takes for an object's place.
        """
        lo, hi = self.camera_lo_m, self.camera_hi_m
        z = (lo[..., 2] + hi[..., 2]) / 2
        ahead = lo[..., 2] > 0
        safe = np.where(ahead, z, 1.0)
        return np.where(ahead, lo[..., 0] / safe, np.nan), np.where(ahead, hi[..., 0] / safe, np.nan)


def velocities(position_m: Floats, fps: float) -> Floats:
    """Differences to the next frame, metres per second; the last frame repeats the one before."""
    if len(position_m) < 2:
        return np.zeros_like(position_m)
    step = np.diff(position_m, axis=0) * fps
    return np.concatenate([step, step[-1:]])


def _boxes(lo: Floats, hi: Floats, here: Bools, owner: Ints, num_objects: int) -> tuple[Floats, Floats]:
    """Boxes of objects ``[frames, objects, 3]`` from those of their parts; NaN where no part is present."""
    low, high = (np.full((len(lo), num_objects, 3), np.nan) for _ in range(2))
    for i in range(num_objects):
        mine = np.flatnonzero(owner == i)
        some = here[:, mine].any(1)
        shown = here[:, mine, None]
        low[some, i] = np.where(shown, lo[:, mine], np.inf).min(1)[some]
        high[some, i] = np.where(shown, hi[:, mine], -np.inf).max(1)[some]
    return low, high


def layout(scene: Scene) -> Layout:
    """Arrays of a scene. A stretched part keeps its kind: only its half sizes grow, along the axes nearest to its own.

    Raises ``ValueError`` when an object has no body.
    """
    frames, count = scene.num_frames, len(scene.objects)
    of = [scene.bodies_of(i) for i in range(count)]
    if not all(of):
        raise ValueError(f"objects {[i for i, b in enumerate(of) if not b]} have no body; give each object one")
    present = scene.present if scene.present is not None else np.ones((frames, len(scene.bodies)), np.bool_)
    first = np.stack([np.array(b)[present[:, b].argmax(1)] for b in of], 1) if of else np.zeros((frames, 0), np.int64)
    rows = np.arange(frames)[:, None]
    position = scene.position_m[rows, first]

    listed = [(b, part) for b, body in enumerate(scene.bodies) for part in body.parts]
    body = np.array([b for b, _ in listed], np.int64)
    owner = np.array([scene.bodies[b].instance for b, _ in listed], np.int64)
    R_body = rotation_matrices(scene.rotation)[:, body]
    R_part = rotation_matrices(np.array([p.rotation for _, p in listed]).reshape(-1, 4))
    offset = np.broadcast_to(np.array([p.offset_m for _, p in listed]).reshape(-1, 3), (frames, len(listed), 3))
    half = np.broadcast_to(np.array([p.half_size_m for _, p in listed]).reshape(-1, 3), offset.shape)
    if scene.scale is not None:
        stretch = scene.scale[:, body]
        offset, half = offset * stretch, half * np.einsum("pij,fpi->fpj", R_part**2, stretch)
    R = R_body @ R_part
    centre = scene.position_m[:, body] + (R_body @ offset[..., None])[..., 0]
    shape = np.array([SHAPES.index(p.shape) for _, p in listed], np.int64)
    c2w = scene.camera.c2w
    R_camera = c2w[:, None, :3, :3].swapaxes(-1, -2)
    seen_centre = (R_camera @ (centre - c2w[:, None, :3, 3])[..., None])[..., 0]

    def flat(centre: Floats, R: Floats) -> Solids:
        return Solids(np.tile(shape, frames), half.reshape(-1, 3), centre.reshape(-1, 3), R.reshape(-1, 3, 3))

    parts = flat(centre, R)
    lo, hi = (x.reshape(centre.shape) for x in parts.extent())
    seen_lo, seen_hi = (x.reshape(centre.shape) for x in flat(seen_centre, R_camera @ R).extent())
    here = present[:, body]
    low, high = _boxes(lo, hi, here, owner, count)
    camera_low, camera_high = _boxes(seen_lo, seen_hi, here, owner, count)
    return Layout(
        fps=scene.fps,
        position_m=position,
        rotation=scene.rotation[rows, first],
        velocity_m_s=velocities(position, scene.fps),
        present=np.stack([present[:, b].any(1) for b in of], 1) if of else np.zeros((frames, 0), np.bool_),
        lo_m=low,
        hi_m=high,
        camera_lo_m=camera_low,
        camera_hi_m=camera_high,
        parts=parts,
        part_object=owner,
        part_lo_m=lo,
        part_hi_m=hi,
        part_present=here,
        ground=scene.environment.ground is not None,
    )
