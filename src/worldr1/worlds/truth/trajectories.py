"""How moving objects travel, alone and past landmarks."""

from __future__ import annotations

import numpy as np

from worldr1.worlds.record import Passing, Trajectory, Vec3
from worldr1.worlds.scene import Bools, Floats, ObjectInfo
from worldr1.worlds.truth.events import headings_deg
from worldr1.worlds.truth.layout import Layout
from worldr1.worlds.truth.visibility import Visibility

MIN_TRAVEL_M = 0.1  # shorter ways have no direction
POLYLINE_SHARE = 0.02  # of the way's length: how far the simplified path may be from the true one


def simplify(points: Floats, tolerance: float) -> Floats:
    """Points of a path that keep it within ``tolerance`` (Douglas and Peucker, Cartographica 10, 1973)."""
    keep = np.zeros(len(points), np.bool_)
    keep[[0, -1]] = True
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        line = points[last] - points[first]
        offset = points[first + 1 : last] - points[first]
        along = np.clip(offset @ line / max(float(line @ line), 1e-18), 0, 1)
        away = np.linalg.norm(offset - along[:, None] * line, axis=1)
        if away.max() > tolerance:
            middle = first + 1 + int(away.argmax())
            keep[middle] = True
            spans += [(first, middle), (middle, last)]
    return points[keep]


def direction(position_m: Floats, c2w: Floats) -> str:
    """Where an object goes in the camera's view: "left", "right", "up", "down", "towards the camera", "away from the
    camera", "with the camera" when it moves along the view at a distance that hardly changes, or "" when it stays.

    Each step counts in the view of its own frame, so a turning or moving camera does not make an object move.
    """
    steps = np.diff(position_m, axis=0)
    seen = np.einsum("fij,fi->fj", c2w[:-1, :3, :3], steps).sum(0)
    axis = int(np.abs(seen).argmax())
    if abs(seen[axis]) < MIN_TRAVEL_M:
        return ""
    if axis < 2:
        return (("right", "left"), ("down", "up"))[axis][int(seen[axis] < 0)]
    distance = np.linalg.norm(position_m - c2w[:, :3, 3], axis=1)
    change = float(distance[-1] - distance[0])
    if change * seen[2] < 0.25 * seen[2] ** 2:
        return "with the camera"
    return "away from the camera" if seen[2] > 0 else "towards the camera"


def _passings(layout: Layout, visibility: Visibility, c2w: Floats, mover: int, landmarks: list[int]) -> list[Passing]:
    """Frames in which ``mover`` crosses a landmark's middle in the picture by its own motion, nearer or farther."""
    lo, hi = layout.camera_lo_m, layout.camera_hi_m
    left, right = layout.screen
    middle = (left + right) / 2
    seen = visibility.seen
    out = []
    # where the mover would be in each frame's picture, had it not moved since the frame before
    stay = np.einsum("fji,fj->fi", c2w[1:, :3, :3], layout.centre_m[:-1, mover] - c2w[1:, :3, 3])
    now = np.einsum("fji,fj->fi", c2w[1:, :3, :3], layout.centre_m[1:, mover] - c2w[1:, :3, 3])
    own = now[:, 0] / np.maximum(now[:, 2], 1e-3) - stay[:, 0] / np.maximum(stay[:, 2], 1e-3)
    for mark in landmarks:
        side = middle[:, mover] - middle[:, mark]
        moved = np.diff(side)
        # where the camera's motion, not the mover's, made them cross, its own part of the way is short
        crosses = (side[:-1] * side[1:] <= 0) & (side[:-1] != 0) & (own * moved >= 0.5 * moved**2) & seen[1:, mark]
        for f in (np.flatnonzero(crosses) + 1).tolist():
            if hi[f, mover, 2] < lo[f, mark, 2] and seen[f, mover]:
                out.append(Passing(landmark=mark, side="in front of", frame=f))
            elif lo[f, mover, 2] > hi[f, mark, 2] and seen[:, mover].any():
                out.append(Passing(landmark=mark, side="behind", frame=f))
    return sorted(out, key=lambda p: (p.frame, p.landmark))


def trajectories(
    layout: Layout, visibility: Visibility, objects: tuple[ObjectInfo, ...], c2w: Floats, present: Bools
) -> list[Trajectory]:
    """One per dynamic object. Distances to the nearest landmark are between centres in the ground plane."""
    landmarks = [i for i, o in enumerate(objects) if o.landmark]
    heading = headings_deg(layout)
    out = []
    for i in (i for i, o in enumerate(objects) if o.dynamic and present[:, i].any()):
        path = layout.position_m[:, i]
        length = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
        others = [m for m in landmarks if m != i]
        nearest, distance = None, np.zeros(0)
        if others:
            apart = np.linalg.norm(path[:, None, :2] - layout.position_m[:, others, :2], axis=-1)
            nearest = others[int(apart.min(0).argmin())]
            distance = apart[:, others.index(nearest)]
        simple = simplify(path, max(0.02, POLYLINE_SHARE * length))
        out.append(
            Trajectory(
                object=i,
                polyline_m=[_vec3(p) for p in simple.round(3).tolist()],
                length_m=round(length, 3),
                heading_deg=[None if h != h else round(h, 1) for h in heading[:, i].tolist()],
                direction=direction(path, c2w),
                nearest_landmark=nearest,
                distance_m=distance.round(3).tolist(),
                passings=_passings(layout, visibility, c2w, i, others),
            )
        )
    return out


def _vec3(values: list[float]) -> Vec3:
    x, y, z = values
    return x, y, z
