"""Meshes that scenes can name, and the user's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
import warp as wp
from trimesh import Trimesh
from trimesh.creation import box, cylinder, icosphere, revolve


def _fitted(mesh: Trimesh) -> Trimesh:
    """The mesh moved and stretched to fill [-1, 1]³."""
    low, high = mesh.bounds
    mesh.vertices = (mesh.vertices - (low + high) / 2) * (2 / (high - low))
    return mesh


def _moved(mesh: Trimesh, *offset: float) -> Trimesh:
    mesh.apply_translation(offset)
    return mesh


def _torus() -> Trimesh:
    return _fitted(trimesh.creation.torus(0.7, 0.3, major_sections=32, minor_sections=16))


def _vase() -> Trimesh:
    profile = [(0, -1), (0.45, -1), (0.62, -0.8), (0.72, -0.4), (0.6, 0.1), (0.32, 0.5), (0.3, 0.7), (0.48, 1)]
    inside = [(0.4, 0.98), (0.22, 0.7), (0.24, 0.5), (0, 0.3)]
    return _fitted(revolve(np.array(profile + inside), sections=32))


def _rock() -> Trimesh:
    mesh = icosphere(subdivisions=3)
    rng = np.random.default_rng(11)
    waves, phases = rng.normal(0, 2.2, (6, 3)), rng.uniform(0, 2 * np.pi, 6)
    bumps = np.sin(mesh.vertices @ waves.T + phases) @ rng.uniform(0.03, 0.09, 6)
    mesh.vertices = mesh.vertices * (1 + bumps[:, None])
    return _fitted(mesh)


def _crown() -> Trimesh:
    mesh = icosphere(subdivisions=3)
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(14, 3))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    nearness = (mesh.vertices @ centres.T).max(1)  # 1 in the middle of a tuft
    mesh.vertices = mesh.vertices * (0.8 + 0.3 * nearness[:, None] ** 3)
    return _fitted(mesh)


def _extruded(outline: list[tuple[float, float]], half_width: float, bevel: float) -> Trimesh:
    """A convex or star-shaped side view (x, z), extruded along y with its rims drawn in by ``bevel``."""
    ring = np.array(outline)
    middle = ring.mean(0)
    inner = middle + (ring - middle) * (1 - bevel)
    layers = [(inner, -half_width), (ring, -half_width + bevel), (ring, half_width - bevel), (inner, half_width)]
    n = len(ring)
    vertices = np.concatenate([np.column_stack([r[:, 0], np.full(n, y), r[:, 1]]) for r, y in layers])
    vertices = np.concatenate([vertices, [[middle[0], -half_width, middle[1]], [middle[0], half_width, middle[1]]]])
    faces = []
    for i in range(n):
        j = (i + 1) % n
        for k in range(3):
            a, b, c, d = k * n + i, k * n + j, (k + 1) * n + j, (k + 1) * n + i
            faces += [(a, b, c), (a, c, d)]
        faces += [(4 * n, j, i), (4 * n + 1, 3 * n + i, 3 * n + j)]
    mesh = Trimesh(vertices, faces)
    mesh.fix_normals()
    return mesh


def _car_body() -> Trimesh:
    side = [(-1, -0.5), (1, -0.5), (1, 0.0), (0.45, 0.12), (0.2, 0.5), (-0.55, 0.5), (-0.85, 0.12), (-1, 0.08)]
    return _fitted(_extruded(side, 0.45, 0.09))


def _union(*parts: Trimesh) -> Trimesh:
    """Closed parts side by side, so the result is closed and its volume their sum: they may touch, not overlap."""
    joined = trimesh.util.concatenate(list(parts))
    assert isinstance(joined, Trimesh)
    return _fitted(joined)


def _chair() -> Trimesh:
    legs = [_moved(box((0.14, 0.14, 0.9)), x, y, -0.45) for x in (-0.43, 0.43) for y in (-0.43, 0.43)]
    seat = _moved(box((1.0, 1.0, 0.12)), 0, 0, 0.06)
    posts = [_moved(box((0.12, 0.12, 0.55)), -0.44, y, 0.12 + 0.275) for y in (-0.44, 0.44)]
    return _union(*legs, seat, *posts, _moved(box((0.12, 1.0, 0.4)), -0.44, 0, 0.67 + 0.2))


def _table() -> Trimesh:
    legs = [_moved(cylinder(0.07, 0.9, sections=12), x, y, -0.45) for x in (-0.8, 0.8) for y in (-0.8, 0.8)]
    return _union(*legs, _moved(box((2.0, 2.0, 0.12)), 0, 0, 0.06))


def _pear() -> Trimesh:
    profile = [(0, -1), (0.4, -0.95), (0.7, -0.65), (0.72, -0.35), (0.5, 0.1), (0.32, 0.5), (0.28, 0.8), (0.15, 0.97)]
    return _fitted(revolve(np.array([*profile, (0, 1)]), sections=24))


MESHES: dict[str, Callable[[], Trimesh]] = {
    "torus": _torus,
    "vase": _vase,
    "chair": _chair,
    "table": _table,
    "crown": _crown,
    "car body": _car_body,
    "rock": _rock,
    "pear": _pear,
}


@lru_cache(maxsize=256)
def load_mesh(path: str) -> Trimesh:
    """A mesh file (.obj, .glb, .stl, ...) fitted to [-1, 1]³, z up as in the file.

    Raises ``ValueError`` when there is no such file, or no closed surface in it.
    """
    if not Path(path).is_file():
        raise ValueError(f"no mesh file {path!r}; name a file or one of {', '.join(MESHES)}")
    mesh = trimesh.load(path, force="mesh")
    if not isinstance(mesh, Trimesh) or not mesh.is_watertight:
        raise ValueError(f"{path} has to hold one closed surface: its volume and shadows need an inside")
    return _fitted(mesh)


@lru_cache(maxsize=256)
def get_mesh(name: str) -> Trimesh:
    """The mesh of a key of `MESHES` or of a file, in [-1, 1]³."""
    return MESHES[name]() if name in MESHES else load_mesh(name)


def volume_m3(name: str, half_size_m: tuple[float, float, float]) -> float:
    """Volume of a mesh stretched to a box of half sizes."""
    return float(get_mesh(name).volume * np.prod(half_size_m))


@lru_cache(maxsize=1024)
def device_mesh(name: str, device: str) -> Any:
    """The `warp.Mesh` of a mesh, kept: all its instances, in all scenes, share it."""
    mesh = get_mesh(name)
    points = wp.array(np.asarray(mesh.vertices, np.float32), dtype=wp.vec3, device=device)
    faces = wp.array(np.asarray(mesh.faces, np.int32).ravel(), dtype=wp.int32, device=device)
    return wp.Mesh(points=points, indices=faces)
