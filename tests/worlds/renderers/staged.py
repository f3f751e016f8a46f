"""A scene with everything that a renderer has to know, and how two renderings of it differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from worldr1.worlds.rendered import FIRST_OBJECT, Rendered
from worldr1.worlds.scene import (
    Body,
    CameraTrack,
    Environment,
    Light,
    Material,
    ObjectInfo,
    Part,
    Scene,
    Shape,
    Texture,
)

FRAMES, H, W = 4, 48, 64
SHAPES: tuple[Shape, ...] = ("box", "sphere", "cylinder", "capsule", "cone", "mesh")
TEXTURES: tuple[Texture, ...] = ("checker", "plain", "stripes", "noise", "plain", "bricks")
COLOURS = ((0.8, 0.2, 0.2), (0.2, 0.7, 0.3), (0.2, 0.3, 0.8), (0.8, 0.7, 0.2), (0.7, 0.3, 0.7), (0.2, 0.7, 0.7))


def camera() -> CameraTrack:
    """Travels and zooms."""
    c2w = np.tile(np.eye(4), (FRAMES, 1, 1))
    for f, x in enumerate(np.linspace(-0.6, 0.6, FRAMES)):
        eye = np.array([x, -4.2, 1.7])
        forward = (np.array([0, 0, 0.5]) - eye) / np.linalg.norm(np.array([0, 0, 0.5]) - eye)
        right = np.cross(forward, [0, 0, 1]) / np.linalg.norm(np.cross(forward, [0, 0, 1]))
        c2w[f, :3] = np.stack([right, np.cross(forward, right), forward, eye], -1)
    return CameraTrack(c2w, np.linspace(32.0, 40.0, FRAMES))


def stage(**changes: Any) -> Scene:
    """Every shape: turning, sliding, one that grows, one that is gone for two frames, one of two bodies, scenery."""
    t = np.linspace(0, 1, FRAMES)
    bodies, position, rotation, scale = [], [], [], []
    for i, shape in enumerate(SHAPES):
        second: tuple[float, float, float] = tuple(0.5 * c for c in COLOURS[i])  # type: ignore[assignment]
        material = Material(TEXTURES[i], COLOURS[i], second, 0.25, gloss=0.2)
        half = (0.36, 0.26, 0.34) if shape != "capsule" else (0.24, 0.24, 0.42)
        turn = tuple(Rotation.from_euler("xyz", [10 * i, 5 * i, 20 * i], degrees=True).as_quat())
        bodies.append(Body((Part(shape, half, material, (0.05, 0.0, 0.0), turn, "vase" if i == 5 else ""),), i))
        place = np.array([1.1 * (i % 3 - 1), 1.3 * (i // 3), 0.5])
        position.append(place + t[:, None] * [0.1 * (i % 2), 0.0, 0.05 * i])
        rotation.append(Rotation.from_rotvec(t[:, None] * [0.0, 0.1, 0.2 * (i % 2)]).as_quat())
        scale.append(np.ones((FRAMES, 3)))
    # a limb of the first object, and a wall that belongs to nothing
    bodies += [
        Body((Part("sphere", (0.15, 0.15, 0.15), Material(colour=COLOURS[0])),), 0),
        Body((Part("box", (2.5, 0.1, 0.5), Material("stripes", (0.7, 0.6, 0.5), (0.5, 0.4, 0.3))),)),
    ]
    position += [position[0] + [0.1, -0.2, 0.45], np.tile([0.0, 2.6, 0.5], (FRAMES, 1))]
    rotation += [np.tile([0.0, 0.0, 0.0, 1.0], (FRAMES, 1))] * 2
    scale += [np.ones((FRAMES, 3))] * 2
    scale[2] = np.where(t[:, None] < 0.5, 1.0, [1.3, 0.9, 1.2])
    present = np.ones((FRAMES, len(bodies)), bool)
    present[1:3, 4] = False
    values: dict[str, Any] = {
        "present": present,
        "scale": np.stack(scale, 1),
        "environment": Environment(
            Material("checker", (0.35, 0.45, 0.3), (0.5, 0.6, 0.45), 1.0),
            (Light((0.4224, -0.3168, 0.8492)), Light((-0.6, -0.5, 0.62), (0.15, 0.15, 0.2))),
        ),
    } | changes
    info = ObjectInfo("thing", "red", (1.0, 1.0, 1.0), 1.0)
    objects = (info,) * len(SHAPES)
    return Scene("stage", 0, tuple(bodies), objects, np.stack(position, 1), np.stack(rotation, 1), camera(), **values)


def compare(ours: Rendered, other: Rendered) -> dict[str, float]:
    """Differences: relative depth (median), share of pixels with the same instance, flows in pixels (99th percentile
    where both know), and the correlation of instances' mean colours."""
    same = ours.instance_ids == other.instance_ids
    solid = same & np.isfinite(ours.depth_m) & np.isfinite(other.depth_m)
    depth = np.abs(ours.depth_m[solid] - other.depth_m[solid]) / ours.depth_m[solid]
    flows = {}
    for name in ("flow_px", "backward_flow_px"):
        a, b = getattr(ours, name), getattr(other, name)
        both = same & np.isfinite(a).all(-1) & np.isfinite(b).all(-1)
        flows[name] = float(np.quantile(np.abs(a - b)[both].max(-1), 0.99))
    where = [(ours.instance_ids == i) & same for i in range(FIRST_OBJECT + len(SHAPES))]
    means = [[x.rgb[mask].mean(0) for x in (ours, other)] for mask in where if mask.any()]
    colours = np.array(means)  # [instances, renderers, 3]
    return {
        "depth": float(np.median(depth)),
        "same": float(same.mean()),
        **flows,
        "colour": float(np.corrcoef(colours[:, 0].ravel(), colours[:, 1].ravel())[0, 1]),
    }
