"""Convex solids by their support functions: extents and the gap between any two of them.

The gap is the largest separation over directions n, ``n·(c_b - c_a) - h_a(n) - h_b(-n)`` (Ericson, Real-Time Collision
Detection, 2005, section 5.2): exact for boxes face to face, edge to edge and for spheres; otherwise the nearest points
are approached by Gilbert's algorithm (Gilbert, SIAM J. Control 4, 1966, equation 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldr1.worlds.scene import Floats, Shape

SHAPES: tuple[Shape, ...] = ("box", "sphere", "cylinder", "capsule", "cone", "mesh")
_REFINEMENTS = 8


def rotation_matrices(quaternions: Floats) -> Floats:
    """Rotations ``[..., 3, 3]`` of unit quaternions ``[..., 4]`` in the order (x, y, z, w)."""
    x, y, z, w = np.moveaxis(quaternions, -1, 0)
    out = np.empty((*x.shape, 3, 3))
    out[..., 0, 0], out[..., 0, 1], out[..., 0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
    out[..., 1, 0], out[..., 1, 1], out[..., 1, 2] = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
    out[..., 2, 0], out[..., 2, 1], out[..., 2, 2] = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)
    return out


def _unit(x: Floats) -> Floats:
    return np.asarray(x / np.maximum(np.sqrt(np.sum(x * x, axis=-1, keepdims=True)), 1e-12))


def _ellipsoid(half: Floats, n: Floats) -> Floats:
    return half * _unit(half * n)


def _cylinder(half: Floats, n: Floats) -> Floats:
    caps = np.copysign(half[..., 2:], n[..., 2:])
    return np.concatenate([half[..., :2] * _unit(half[..., :2] * n[..., :2]), caps], axis=-1)


def _cone(half: Floats, n: Floats) -> Floats:
    rim = _cylinder(half, n)
    rim[..., 2] = -half[..., 2]
    apex = half * [0.0, 0.0, 1.0]
    return np.where(np.sum((apex - rim) * n, axis=-1, keepdims=True) > 0, apex, rim)


def _capsule(half: Floats, n: Floats) -> Floats:
    radius = np.minimum(half[..., :1], half[..., 1:2])
    point = radius * _unit(n)
    point[..., 2:] += np.copysign(np.maximum(half[..., 2:] - radius, 0), n[..., 2:])
    return point


# farthest point of a solid of half sizes [n, 1, 3] along directions [n, k, 3], in its own axes
_SUPPORT = {"sphere": _ellipsoid, "cylinder": _cylinder, "cone": _cone, "capsule": _capsule}


@dataclass(frozen=True)
class Solids:
    """A batch of convex solids; a mesh counts as its box."""

    shape: np.ndarray[tuple[int, ...], np.dtype[np.int64]]  # [n] index into `SHAPES`
    half: Floats  # [n, 3] metres
    centre: Floats  # [n, 3] metres
    R: Floats  # [n, 3, 3] from the solid's axes to the world's

    def take(self, index: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Solids:
        """The solids at ``index``."""
        return Solids(self.shape[index], self.half[index], self.centre[index], self.R[index])

    def support(self, directions: Floats) -> Floats:
        """The farthest point ``[n, k, 3]``, from the centre, along each of ``directions [n, k, 3]``, world axes."""
        n = directions @ self.R  # in each solid's own axes
        out = np.copysign(self.half[:, None], n)
        for kind in set(self.shape.tolist()) - {SHAPES.index("box"), SHAPES.index("mesh")}:
            some = np.flatnonzero(self.shape == kind)
            out[some] = _SUPPORT[SHAPES[kind]](self.half[some, None], n[some])
        return np.asarray(out @ self.R.swapaxes(-1, -2))

    def extent(self) -> tuple[Floats, Floats]:
        """Corners ``lo, hi [n, 3]`` of the exact axis-aligned boxes."""
        axes = np.arange(3)
        eye = np.broadcast_to(np.eye(3), (len(self.half), 3, 3))
        reach = self.support(eye)[:, axes, axes]
        back = reach.copy()
        cones = np.flatnonzero(self.shape == SHAPES.index("cone"))  # every other solid is symmetric
        back[cones] = -self.take(cones).support(-eye[cones])[:, axes, axes]
        return self.centre - back, self.centre + reach


def gaps(a: Solids, b: Solids) -> tuple[Floats, Floats]:
    """Gap ``[n]`` in metres between solids pair by pair (negative: depth of overlap) and its direction ``[n, 3]``.

    The direction points from a to b. Never larger than the true gap; short of it by less than 2 % of the solids'
    size for the shapes the search has to approach.
    """
    offset = b.centre - a.centre
    faces_a, faces_b = a.R.swapaxes(-1, -2), b.R.swapaxes(-1, -2)
    edges = np.cross(faces_a[:, :, None], faces_b[:, None]).reshape(-1, 9, 3)
    n = np.concatenate([offset[:, None], faces_a, faces_b, edges], axis=1)
    length = np.linalg.norm(n, axis=-1, keepdims=True)
    n = np.where(length > 1e-6, n / np.maximum(length, 1e-12), [0.0, 0.0, 1.0])  # parallel edges span no axis
    n = np.where(np.sum(n * offset[:, None], axis=-1, keepdims=True) < 0, -n, n)

    def separation(n: Floats) -> tuple[Floats, Floats]:
        """Nearest point ``[n, k, 3]`` of b - a along n, and its distance along n."""
        point = offset[:, None] + b.support(-n) - a.support(n)
        return point, np.sum(point * n, axis=-1)

    point, distance = separation(n)
    best = distance.argmax(1)
    rows = np.arange(len(offset))
    gap, normal = distance[rows, best], n[rows, best]
    x = point[rows, best]  # a point of b - a; Gilbert's algorithm moves it towards the origin
    for _ in range(_REFINEMENTS):
        size = np.linalg.norm(x, axis=-1, keepdims=True)
        direction = np.where(size > 1e-9, x / np.maximum(size, 1e-12), normal)
        point, distance = separation(direction[:, None])
        better = distance[:, 0] > gap
        gap, normal = np.where(better, distance[:, 0], gap), np.where(better[:, None], direction, normal)
        step = point[:, 0] - x
        share = -np.sum(x * step, axis=-1) / np.maximum(np.sum(step * step, axis=-1), 1e-18)
        x = x + np.clip(share, 0, 1)[:, None] * step
    return gap, normal
