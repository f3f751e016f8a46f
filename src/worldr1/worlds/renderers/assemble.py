"""What renderers of other makers leave out: sky and haze, amodal bits and flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from worldr1.worlds.kernel.pack import GROUND_HAZE_LENGTHS
from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.rendered import FIRST_OBJECT, SCENERY, SKY, Rendered
from worldr1.worlds.renderers.pieces import GROUND
from worldr1.worlds.scene import Floats, Scene

Array = npt.NDArray[Any]
NOTHING = -2  # body index of the sky


def check_scenes(scenes: Sequence[Scene]) -> None:
    """Raise ``ValueError`` unless there are scenes, all of one length."""
    if not scenes or len({s.num_frames for s in scenes}) != 1:
        raise ValueError("rendering needs at least one scene, and all of one length")


def batch(clips: Sequence[Rendered]) -> Rendered:
    """Clips as one batch."""
    return Rendered(*(np.concatenate([getattr(c, f.name) for c in clips]) for f in fields(Rendered)))


def through_air(scene: Scene, colour: Array, cover: Array, depth_m: Array, frames: slice = slice(None)) -> Array:
    """Put haze before surfaces and the sky behind them, as the kernel's ``radiance`` does.

    Args:
        colour: ``[frames, h, w, 3]`` light from surfaces, times ``cover``.
        cover: ``[frames, h, w]`` share of a pixel in which there is a surface.
        depth_m: ``[frames, h, w]`` z-depth of surfaces; where there is none the haze does not matter.
        frames: which frames of the scene these are.

    Returns colours of the same shape.
    """
    height, width = depth_m.shape[1:]
    rays = _rays(scene, height, width)[frames]
    length = np.linalg.norm(rays, axis=-1)
    c2w = scene.camera.c2w[frames]
    upward = np.einsum("fhwc,fc->fhw", rays, c2w[:, 2, :3]) / length
    environment = scene.environment
    horizon, zenith = np.asarray(environment.horizon), np.asarray(environment.zenith)
    sky = horizon + (zenith - horizon) * np.maximum(upward, 0.0)[..., None]
    clear = np.exp(-depth_m * length / environment.visibility_m)[..., None]
    share = cover[..., None] * clear
    return np.asarray(colour * clear + sky * (1 - share))


def to_bytes(colour: Array) -> npt.NDArray[np.uint8]:
    """Colours in [0, 1] as bytes; what is brighter is cut off."""
    return np.asarray(np.clip(colour, 0, 1) * 255 + 0.5).astype(np.uint8)


def complete(scene: Scene, rgb: npt.NDArray[np.uint8], depth_m: Array, body: Array) -> Rendered:
    """A clip from its colours and from what the renderer saw through the centres of pixels.

    Flow is computed from depth, bodies and poses. Amodal bits are those of the Warp renderer's analytic shapes, and
    of every visible pixel in addition: along outlines the two may differ by a pixel.

    Args:
        rgb: ``[frames, h, w, 3]``.
        depth_m: ``[frames, h, w]`` z-depth, inf for the sky.
        body: ``[frames, h, w]`` index into ``scene.bodies``, `GROUND` or `NOTHING`.
    """
    height, width = depth_m.shape[1:]
    beyond = (body == GROUND) & (depth_m >= scene.environment.visibility_m * GROUND_HAZE_LENGTHS)
    body = np.where(beyond, NOTHING, body)
    depth = np.where(body == NOTHING, np.inf, depth_m).astype(np.float32)
    values = [SKY, SCENERY] + [FIRST_OBJECT + b.instance if b.instance >= 0 else SCENERY for b in scene.bodies]
    ids = np.array(values, np.int32)[body - NOTHING]
    modal = np.where(ids >= FIRST_OBJECT, np.uint32(1) << np.maximum(ids - FIRST_OBJECT, 0).astype(np.uint32), 0)
    amodal = WarpRenderer(samples=1)([scene], height, width).amodal_bits | modal.astype(np.uint32)
    flows = [_flow(scene, depth, body, step)[None] for step in (1, -1)]
    return Rendered(rgb[None], depth[None], ids[None], amodal, *flows)


def with_the_frame(canvas_px: Array, amodal_bits: Array) -> Array:
    """What objects cover on the canvas ``[clips, frames, objects]``, at least what they cover in the frame.

    `WarpRenderer.canvas_px` counts analytic shapes; along the outlines of triangles a few pixels more may be covered.
    """
    in_frame = [np.count_nonzero(amodal_bits & np.uint32(1 << i), (2, 3)) for i in range(canvas_px.shape[2])]
    return np.maximum(canvas_px, np.stack(in_frame, -1)) if in_frame else canvas_px


def _rays(scene: Scene, height: int, width: int) -> Floats:
    """Directions ``[frames, h, w, 3]`` through pixel centres in camera axes, z = 1."""
    K = scene.camera.intrinsics(height, width)[:, :, :, None, None]
    x = (np.arange(width) + 0.5 - K[:, 0, 2]) / K[:, 0, 0]
    y = (np.arange(height)[:, None] + 0.5 - K[:, 1, 2]) / K[:, 1, 1]
    x, y = np.broadcast_arrays(x, y)
    return np.stack([x, y, np.ones_like(x)], -1)


def _flow(scene: Scene, depth_m: Array, body: Array, step: int) -> npt.NDArray[np.float32]:
    """Pixels ``[frames, h, w, 2]`` to the frame ``step`` later; 0 where there is none, NaN behind the camera."""
    frames, height, width = depth_m.shape
    flow = np.zeros((frames, height, width, 2), np.float32)
    here = np.arange(frames)[:-1] if step > 0 else np.arange(frames)[1:]
    if not len(here):
        return flow
    there = here + step
    pose = np.tile(np.eye(4), (frames, 2 + len(scene.bodies), 1, 1))  # of the sky and the ground first
    if scene.bodies:
        turn = Rotation.from_quat(scene.rotation.reshape(-1, 4)).as_matrix().reshape(frames, -1, 3, 3)
        stretch = np.ones_like(scene.position_m) if scene.scale is None else scene.scale
        pose[:, 2:, :3, :3] = turn * stretch[..., None, :]
        pose[:, 2:, :3, 3] = scene.position_m
    c2w = scene.camera.c2w
    motion = np.linalg.inv(c2w[there])[:, None] @ pose[there] @ np.linalg.inv(pose[here]) @ c2w[here][:, None]
    motion[:, 0, :3, 3] = 0  # nothing moves the sky but turning
    rays, K = _rays(scene, height, width)[here], scene.camera.intrinsics(height, width)[there]
    for f in range(len(here)):
        index = body[here[f]] - NOTHING
        reach = np.where(np.isfinite(depth_m[here[f]]), depth_m[here[f]], 1.0)[..., None]
        own = motion[f][index]  # [h, w, 4, 4]
        seen = (own[..., :3, :3] @ (rays[f] * reach)[..., None])[..., 0] + own[..., :3, 3]
        z = np.where(seen[..., 2] < 1e-6, np.nan, seen[..., 2])
        for k, size in enumerate((width, height)):
            centre = np.arange(size) + 0.5
            at = centre if k == 0 else centre[:, None]
            flow[here[f], ..., k] = K[f, k, k] * seen[..., k] / z + K[f, k, 2] - at
    return flow
