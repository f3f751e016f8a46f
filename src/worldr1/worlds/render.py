"""Scenes to clips with exact truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import warp as wp

from worldr1.types import CameraPath, Clip, GroundTruth
from worldr1.worlds.tiny.scene import ABSENT, COLOURS, GROUNDS, MAX_OBJECTS, Scene, intrinsics

_ANTI_ALIASING = 3  # rays per pixel and axis


@dataclass(frozen=True)
class Rendered:
    """A batch of rendered clips as arrays; leading axes ``[clips, frames]``."""

    rgb: np.ndarray[Any, np.dtype[np.uint8]]  # [clips, frames, h, w, 3]
    depth_m: np.ndarray[Any, np.dtype[np.float32]]  # [clips, frames, h, w], inf for the sky
    instance_ids: np.ndarray[Any, np.dtype[np.int32]]  # [clips, frames, h, w]
    amodal_bits: np.ndarray[Any, np.dtype[np.int32]]  # [clips, frames, h, w]
    flow_px: np.ndarray[Any, np.dtype[np.float32]]  # [clips, frames, h, w, 2], zero in the last frame


def _padded(scenes: Sequence[Scene], field: str, fill: float) -> np.ndarray[Any, Any]:
    """One array ``[clips * frames, MAX_OBJECTS, ...]`` of a per-object field."""
    out = []
    for scene in scenes:
        value = getattr(scene, field)
        pad = [(0, 0), (0, MAX_OBJECTS - scene.num_objects)] + [(0, 0)] * (value.ndim - 2)
        out.append(np.pad(value, pad, constant_values=fill))
    return np.ascontiguousarray(np.concatenate(out))


def render(scenes: Sequence[Scene], size: int = 32, device: str = "cpu") -> Rendered:
    """Ray-cast scenes of equal length at ``size`` x ``size`` pixels.

    Raises ``ValueError`` when the scenes differ in length or there is none.
    """
    if not scenes or len({s.num_frames for s in scenes}) != 1:
        raise ValueError("render needs at least one scene, and all of one length")
    wp.config.log_level = wp.LOG_ERROR  # Warp greets at length, and warns where there is no GPU
    # imported here: defining the kernel loads Warp's runtime, which the rest of the package does not need
    from worldr1.worlds import kernel

    frames, clips = scenes[0].num_frames, len(scenes)
    total = frames * clips

    def upload(x: np.ndarray[Any, Any], dtype: Any) -> Any:
        return wp.array(np.ascontiguousarray(x), dtype=dtype, device=device)

    def empty(dtype: Any, *extra: int) -> Any:
        return wp.empty((total, size, size, *extra), dtype=dtype, device=device)

    palette = np.array(list(COLOURS.values()), np.float32)
    grounds = np.array(list(GROUNDS.values()), np.float32)
    c2w = np.concatenate([s.c2w for s in scenes])
    focal = np.stack([intrinsics(s.fov_deg, size, size)[[0, 1, 0, 1], [0, 1, 2, 2]] for s in scenes])
    ground = np.array([s.ground for s in scenes], np.int32)
    outputs = [empty(wp.uint8, 3), empty(float), empty(int), empty(int), empty(wp.vec2)]
    wp.launch(
        kernel.render,
        dim=(total, size, size),
        inputs=[
            frames,
            MAX_OBJECTS,
            _ANTI_ALIASING,
            upload(_padded(scenes, "shape", ABSENT), int),
            upload(_padded(scenes, "half_size_m", 1.0), float),
            upload(_padded(scenes, "position_m", 0.0), wp.vec3),
            upload(_padded(scenes, "yaw_rad", 0.0), float),
            upload(palette[_padded(scenes, "colour", 0)], wp.vec3),
            upload(ground, int),
            upload(grounds[ground], wp.vec3),
            upload(np.concatenate([s.ground_offset_m for s in scenes]), wp.vec2),
            upload(c2w[:, :3, :3], wp.mat33),
            upload(c2w[:, :3, 3], wp.vec3),
            upload(np.repeat(focal, frames, axis=0), wp.vec4),
        ],
        outputs=outputs,
        device=device,
    )
    arrays = [o.numpy() for o in outputs]
    return Rendered(*(a.reshape(clips, frames, *a.shape[1:]) for a in arrays))


def camera_of(scene: Scene, size: int) -> CameraPath:
    """The scene's camera as a `CameraPath` for clips of ``size`` pixels."""
    K = torch.from_numpy(intrinsics(scene.fov_deg, size, size)).expand(scene.num_frames, 3, 3)
    return CameraPath(torch.from_numpy(scene.c2w), K)


def render_clips(scenes: Sequence[Scene], size: int = 32, device: str = "cpu") -> list[Clip]:
    """Ray-cast scenes to `Clip`s that carry their `GroundTruth`."""
    out = render(scenes, size, device)
    clips = []
    for i, scene in enumerate(scenes):
        truth = GroundTruth(
            depth_m=torch.from_numpy(out.depth_m[i]),
            flow_px=torch.from_numpy(out.flow_px[i, :-1]),
            instance_ids=torch.from_numpy(out.instance_ids[i]),
            amodal_bits=torch.from_numpy(out.amodal_bits[i]),
            camera=camera_of(scene, size),
            violation=scene.violation,
            violation_frame=scene.violation_frame,
        )
        video = torch.from_numpy(out.rgb[i]).permute(0, 3, 1, 2).float() / 255
        clips.append(Clip(video, truth=truth))
    return clips
