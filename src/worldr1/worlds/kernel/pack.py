"""Scenes to the arrays that the kernels read. Poses are composed in float64 and rounded once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import warp as wp

from worldr1.worlds.kernel.layout import (
    SHAPES,
    TEXTURES,
    BodyFrame,
    Part,
    PartFrame,
    Setting,
    Sun,
    View,
    World,
)
from worldr1.worlds.kernel.letters import picture_of
from worldr1.worlds.meshes import device_mesh
from worldr1.worlds.scene import STUFF, Floats, Material, Scene
from worldr1.worlds.scene import Part as ScenePart

Array = npt.NDArray[Any]
NEAR_M = 1e-3
GROUND_HAZE_LENGTHS = 10 / 3  # the ground ends where haze leaves 3.6 % of its contrast
_CORNERS = np.array(list(itertools.product((-1, 1), repeat=3))).T  # [3, 8]
_EDGES = np.array([(i, i | 1 << k) for i in range(8) for k in range(3) if not i >> k & 1]).T  # [2, 12] of corners


def matrices(q: Floats) -> Floats:
    """Rotation matrices ``[..., 3, 3]`` of unit quaternions ``[..., 4]`` (x, y, z, w)."""
    x, y, z, w = np.moveaxis(q, -1, 0)
    out = np.empty((*q.shape[:-1], 3, 3))
    out[..., 0, 0], out[..., 0, 1], out[..., 0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
    out[..., 1, 0], out[..., 1, 1], out[..., 1, 2] = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
    out[..., 2, 0], out[..., 2, 1], out[..., 2, 2] = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)
    return out


class _Atlas:
    """The pictures of all signs of a batch, end to end."""

    def __init__(self) -> None:
        self.pictures: list[Array] = []
        self.places: dict[tuple[str, float], tuple[int, int, int]] = {}
        self.size = 0

    def place(self, text: str, aspect: float) -> tuple[int, int, int]:
        key = (text, round(aspect, 2))
        if key not in self.places:
            picture = picture_of(*key)
            self.places[key] = (self.size, picture.shape[1], picture.shape[0])
            self.pictures.append(picture.ravel())
            self.size += picture.size
        return self.places[key]


def _surface(m: Material, atlas: _Atlas, half_m: tuple[float, float, float]) -> tuple[Any, ...]:
    text = (0, 0, 0)
    if m.texture == "sign" and m.text:
        text = atlas.place(m.text, max(half_m[0], half_m[1]) / half_m[2])
    if m.scale_m <= 0:
        raise ValueError(f"a material's scale_m is the length of one repeat and has to be positive, not {m.scale_m}")
    return TEXTURES.index(m.texture), m.colour, m.second, m.scale_m, m.gloss, text


def cap_height_m(p: ScenePart) -> float:
    """Height of a capsule's caps: its radius, or half its height where it is lower than wide."""
    return min(p.half_size_m)


class Packed:
    """A batch on the device: ``world`` without its candidate lists."""

    def __init__(self, scenes: Sequence[Scene], height: int, width: int, device: str) -> None:
        frames = scenes[0].num_frames
        self.num_clips, self.num_frames = len(scenes), frames
        atlas = _Atlas()
        parts: list[tuple[Any, ...]] = []
        settings: list[tuple[Any, ...]] = []
        lights: list[tuple[Any, ...]] = []
        num_bodies = 0
        positions, rotations, scales, present = [], [], [], []
        identity = np.broadcast_to(np.array([0.0, 0.0, 0.0, 1.0]), (frames, 1, 4))
        for scene in scenes:
            first_body, first_part, first_light = num_bodies, len(parts), len(lights)
            env = scene.environment
            ground = _surface(env.ground or Material(), atlas, (1.0, 1.0, 1.0))
            parts.append((0, first_body, STUFF, 0.0, (1.0, 1.0, 1.0), 0, ground))
            for k, body in enumerate(scene.bodies, first_body + 1):
                for p in body.parts:
                    if min(p.half_size_m) <= 0:
                        raise ValueError(f"half_size_m of a part has to be positive, not {p.half_size_m}")
                    straight = p.half_size_m[2] / cap_height_m(p) - 1 if p.shape == "capsule" else 0.0
                    mesh = device_mesh(p.mesh, device).id if p.shape == "mesh" else 0
                    parts.append(
                        (
                            SHAPES.index(p.shape), k, body.instance, straight, p.half_size_m, mesh,
                            _surface(p.material, atlas, p.half_size_m),
                        )
                    )  # fmt: skip
            count = len(scene.bodies)
            num_bodies += 1 + count
            positions += [np.zeros((frames, 1, 3)), scene.position_m]
            rotations += [identity, scene.rotation]
            scales += [np.ones((frames, 1, 3)), np.ones((frames, count, 3)) if scene.scale is None else scene.scale]
            there = np.ones((frames, count), bool) if scene.present is None else scene.present
            present += [np.zeros((frames, 1), bool), there]
            for light in env.lights:
                direction = np.asarray(light.direction) / np.linalg.norm(light.direction)
                across = np.cross(direction, np.eye(3)[np.argmin(np.abs(direction))])
                across /= np.linalg.norm(across)
                along = np.cross(direction, across)
                softness = np.tan(np.radians(light.softness_deg))
                lights.append((len(settings), direction, across, along, light.colour, softness))
            settings.append(
                (
                    first_body, first_part, len(parts), first_light, len(lights),
                    int(env.ground is not None),
                    env.visibility_m * GROUND_HAZE_LENGTHS, env.ambient, env.horizon, env.zenith, env.visibility_m,
                )
            )  # fmt: skip

        c2w = np.stack([s.camera.c2w for s in scenes], 1).astype(np.float64)  # [frames, clips, 4, 4]
        K = np.stack([s.camera.intrinsics(height, width) for s in scenes], 1)
        focal = np.stack([K[..., 0, 0], K[..., 1, 1], K[..., 0, 2], K[..., 1, 2]], -1)  # [frames, clips, 4]
        owner = np.repeat(np.arange(len(scenes)), [1 + len(s.bodies) for s in scenes])  # clip of each body
        view_rotation, eye = c2w[:, owner][..., :3, :3], c2w[:, owner][..., :3, 3]
        position, there = np.concatenate(positions, 1), np.concatenate(present, 1)
        stretch = np.concatenate(scales, 1)[..., None, :]  # of the columns
        rotation = matrices(np.concatenate(rotations, 1))
        # body axes to camera axes of its frame, and back: x_camera = outward x_body + outward_shift
        turn = np.swapaxes(view_rotation, -1, -2)
        outward, outward_shift = turn @ rotation * stretch, _apply(turn, position - eye)
        inward = np.swapaxes(rotation / stretch, -1, -2)  # from the world's axes
        body_from_camera, body_eye = inward @ view_rotation, _apply(inward, eye - position)

        body_frames = _blank((frames, len(owner)), BodyFrame)
        for name, source, target in (
            ("next", slice(0, -1), slice(1, None)),
            ("previous", slice(1, None), slice(0, -1)),
        ):
            body_frames[f"{name}_rotation"][source] = outward[target] @ body_from_camera[source]
            body_frames[f"{name}_shift"][source] = _apply(outward[target], body_eye[source]) + outward_shift[target]

        part_array = _table(parts, Part)
        which = part_array["body"]
        plane = ScenePart("box", (1.0, 1.0, 1.0))
        flat = [p for s in scenes for p in (plane, *(p for b in s.bodies for p in b.parts))]
        half = np.array([p.half_size_m for p in flat], np.float64).reshape(-1, 3)
        unit = half.copy()  # metres per unit
        unit[:, 2] /= 1 + part_array["straight"].astype(np.float64)
        offset = np.array([p.offset_m for p in flat], np.float64).reshape(-1, 3)
        own = matrices(np.array([p.rotation for p in flat], np.float64).reshape(-1, 4))
        into = np.swapaxes(own / unit[:, None], -1, -2)  # unit axes from the body's
        part_frames = _blank((frames, len(flat)), PartFrame)
        part_frames["from_camera"] = into @ body_from_camera[:, which]
        part_frames["eye"] = _apply(into, body_eye[:, which] - offset)
        from_world = into @ inward[:, which]
        part_frames["from_world"] = from_world
        part_frames["origin"] = -_apply(from_world, position[:, which]) - _apply(into, offset)
        to_world = (rotation * stretch)[:, which]
        part_frames["to_world"] = to_world @ (own * unit[:, None])
        part_frames["centre"] = position[:, which] + _apply(to_world, offset)
        for scene, setting in zip(scenes, settings, strict=True):
            if scene.ground_offset_m is not None:
                part_frames["origin"][:, setting[1], :2] = scene.ground_offset_m
                part_frames["eye"][:, setting[1], :2] += scene.ground_offset_m
        # corners of the box around each part, in body axes, then in the camera's
        corners = np.swapaxes((own * half[:, None]) @ _CORNERS, -1, -2) + offset[:, None]  # [parts, 8, 3]
        seen = corners @ np.swapaxes(outward, -1, -2)[:, which] + outward_shift[:, which, None]
        part_frames["rect"] = _rectangles(seen, focal[:, owner[which]], there[:, which])
        part_frames["near"] = near = seen[..., 2].min(-1)
        part_frames["present"] = there[:, which]
        by_depth = np.empty((frames, len(flat)), np.int32)
        for setting in settings:
            ground, end = setting[1:3]
            by_depth[:, ground] = ground
            by_depth[:, ground + 1 : end] = ground + 1 + np.argsort(near[:, ground + 1 : end], 1, "stable")

        views = _blank((frames, len(scenes)), View)
        views["rotation"], views["position"], views["focal"] = c2w[..., :3, :3], c2w[..., :3, 3], focal

        def upload(array: Array, dtype: Any) -> Any:
            return wp.array(array, dtype=dtype, device=device)

        self.world = World()
        self.world.num_frames = frames
        self.world.settings = upload(_table(settings, Setting), Setting)
        self.world.lights = upload(_table(lights, Sun), Sun)
        self.world.parts = upload(part_array, Part)
        self.world.views = upload(views, View)
        self.world.part_frames = upload(part_frames, PartFrame)
        self.world.body_frames = upload(body_frames, BodyFrame)
        self.world.by_depth = upload(by_depth, wp.int32)
        self.world.atlas = upload(np.concatenate([np.zeros(1, np.uint8), *atlas.pictures]), wp.uint8)
        self.num_lights = len(lights)
        self.most_parts = max(s[2] - s[1] for s in settings)


def _blank(shape: tuple[int, ...], struct: Any) -> Any:
    return np.zeros(shape, struct.numpy_dtype())


def _table(rows: list[tuple[Any, ...]], struct: Any) -> Any:
    return np.array(rows, struct.numpy_dtype())


def _apply(matrix: Floats, vector: Floats) -> Floats:
    out: Floats = (matrix @ vector[..., None])[..., 0]
    return out


def _rectangles(seen: Floats, focal: Floats, there: Array) -> Floats:
    """Bounds ``[..., 4]`` of boxes with corners ``[..., 8, 3]`` in the picture."""
    z = seen[..., 2]
    x, y = (seen[..., k] / np.maximum(z, NEAR_M) * focal[..., k, None] + focal[..., 2 + k, None] for k in (0, 1))
    slack = 0.01  # float32 in the kernel against float64 here
    rect = np.stack([x.min(-1) - slack, y.min(-1) - slack, x.max(-1) + slack, y.max(-1) + slack], -1)
    part_behind = np.nonzero((z.min(-1) <= NEAR_M) & (z.max(-1) > NEAR_M))
    if len(part_behind[0]):
        rect[part_behind] = _cut_rectangles(seen[part_behind], focal[part_behind])
    rect[~there | (z.max(-1) <= NEAR_M)] = np.inf, np.inf, -np.inf, -np.inf
    return rect


def _cut_rectangles(seen: Floats, focal: Floats) -> Floats:
    """Bounds ``[n, 4]`` of boxes ``[n, 8, 3]`` of which the camera's plane cuts off a part."""
    a, b = seen[:, _EDGES[0]], seen[:, _EDGES[1]]  # [n, 12, 3]
    cut = (a[..., 2] > NEAR_M) != (b[..., 2] > NEAR_M)
    share = (NEAR_M - a[..., 2]) / np.where(cut, b[..., 2] - a[..., 2], 1.0)
    points = np.concatenate([seen, a + share[..., None] * (b - a)], 1)
    shown = np.concatenate([seen[..., 2] > NEAR_M, cut], 1)[..., None]
    at = points[..., :2] / np.maximum(points[..., 2:], NEAR_M) * focal[:, None, :2] + focal[:, None, 2:]
    low, high = np.where(shown, at, np.inf).min(1), np.where(shown, at, -np.inf).max(1)
    return np.concatenate([low - 0.01, high + 0.01], -1)
