"""Scenes built by hand, and a plain ray caster for boxes and spheres that shares no code with the package's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from worldr1.worlds.record import Record
from worldr1.worlds.scene import Body, CameraTrack, Environment, Move, ObjectInfo, Part, Scene
from worldr1.worlds.truth.build import build_record


def look(frames: int, at: tuple[float, float, float] = (0.0, -6.0, 1.0), pan_deg: float = 0.0) -> CameraTrack:
    """A camera at ``at`` that looks along +y and turns by ``pan_deg`` to the right over the clip."""
    c2w = np.tile(np.eye(4), (frames, 1, 1))
    for f, a in enumerate(np.radians(np.linspace(0, pan_deg, frames))):
        forward = np.array([np.sin(a), np.cos(a), 0.0])
        right = np.array([np.cos(a), -np.sin(a), 0.0])
        c2w[f, :3, :3] = np.stack([right, [0.0, 0.0, -1.0], forward], axis=1)
    c2w[:, :3, 3] = at
    return CameraTrack(c2w, np.full(frames, 36.0), moves=(Move("pan right", 0.0, 1.0, pan_deg),) if pan_deg else ())


def thing(
    i: int, category: str = "crate", colour: str = "red", half: float | tuple[float, float, float] = 0.5, **info: Any
) -> tuple[Body, ObjectInfo]:
    """A box, or a sphere for category "ball", whose origin is its centre."""
    h = (half,) * 3 if isinstance(half, float) else half
    ball = category == "ball"
    size = tuple(2 * x for x in h)
    volume = float(np.prod(size)) * (np.pi / 6 if ball else 1)
    info.setdefault("texture", "")
    return Body((Part("sphere" if ball else "box", h),), i), ObjectInfo(category, colour, size, volume, **info)


def scene_of(
    things: list[tuple[Body, ObjectInfo]], paths: list[Any], camera: CameraTrack | None = None, **fields: Any
) -> Scene:
    """A scene of ``things`` at ``paths``: each a position, or positions ``[frames, 3]``."""
    frames = len(camera.focal_mm) if camera is not None else 16
    position = np.stack([np.broadcast_to(np.asarray(p, float), (frames, 3)) for p in paths], 1)
    rotation = np.zeros((frames, len(things), 4))
    rotation[..., 3] = 1
    return Scene(
        family="hand",
        seed=0,
        bodies=tuple(b for b, _ in things),
        objects=tuple(o for _, o in things),
        position_m=position,
        rotation=fields.pop("rotation", rotation),
        camera=camera if camera is not None else look(frames),
        **fields,
    )


def cast(scene: Scene, height: int, width: int, zoom: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``instance_ids, amodal_bits, depth_m`` of a scene of boxes and spheres."""
    frames = scene.num_frames
    ids = np.zeros((frames, height, width), np.int32)
    bits = np.zeros(ids.shape, np.uint32)
    depth = np.full(ids.shape, np.inf, np.float32)
    y, x = np.mgrid[:height, :width] + 0.5
    for f in range(frames):
        focal = scene.camera.focal_mm[f] / scene.camera.sensor_mm * width * zoom
        ray = np.stack([(x - width / 2) / focal, (y - height / 2) / focal, np.ones_like(x)], -1)
        d = ray @ scene.camera.c2w[f, :3, :3].T
        o = scene.camera.c2w[f, :3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            ground = np.where(d[..., 2] < 0, -o[2] / d[..., 2], np.inf)
        if scene.environment.ground is not None:
            depth[f] = np.where(ground < 60, ground, np.inf)
            ids[f][ground < 60] = 1
        for b, body in enumerate(scene.bodies):
            if scene.present is not None and not scene.present[f, b]:
                continue
            qx, qy, qz, qw = scene.rotation[f, b]
            yaw = 2 * np.arctan2(qz, qw)
            assert qx == qy == 0, "this caster knows yaw only"
            turn = np.array([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
            for part in body.parts:
                h = np.array(part.half_size_m)
                p = (turn @ (o - scene.position_m[f, b]) - np.array(part.offset_m)) / h
                q = d @ turn.T / h
                if part.shape == "sphere":
                    a, half_b, c = (q * q).sum(-1), q @ p, p @ p - 1
                    disc = half_b**2 - a * c
                    t = np.where(disc > 0, (-half_b - np.sqrt(np.maximum(disc, 0))) / a, np.inf)
                else:
                    with np.errstate(divide="ignore"):
                        t0, t1 = (-1 - p) / q, (1 - p) / q
                    enter, leave = np.minimum(t0, t1).max(-1), np.maximum(t0, t1).min(-1)
                    t = np.where(enter < leave, enter, np.inf)
                t = np.where(t > 1e-3, t, np.inf)
                if body.instance >= 0:
                    bits[f][np.isfinite(t)] |= np.uint32(1 << body.instance)
                nearer = t < depth[f]
                depth[f][nearer] = t[nearer]
                ids[f][nearer] = 2 + body.instance if body.instance >= 0 else 1
    return ids, bits, depth


def canvas(scene: Scene, height: int, width: int) -> np.ndarray:
    """Pixels of each object on a canvas twice as wide and high, at the frame's scale."""
    _, bits, _ = cast(scene, 2 * height, 2 * width, zoom=0.5)
    each = np.arange(len(scene.objects), dtype=np.uint32)
    return (bits[..., None] >> each & 1).sum((1, 2)).astype(np.int64)


def record_of(scene: Scene, height: int = 64, width: int = 64) -> Record:
    """The record of a scene, rendered by `cast`."""
    arrays = cast(scene, height, width)
    return build_record(scene, *arrays, canvas(scene, height, width), key="hand-0", index=0, renderer="hand")


def without_ground() -> Environment:
    """Nothing but objects."""
    return replace(Environment(), ground=None)
