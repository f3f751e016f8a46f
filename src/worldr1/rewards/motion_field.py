"""Small rigid motions read off optical flow: only the first frame's depth is needed, and its errors count little."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from worldr1.geometry.camera import pixel_grid, project, transform

_ENOUGH_POINTS = 1024  # of a picture, evenly spread: six numbers are asked of them


def thinning(height: int, width: int) -> int:
    """Every how many-th row and column is enough to fit a motion to a picture."""
    return max(1, math.isqrt(height * width // _ENOUGH_POINTS))


def motion_field(points: Tensor, K: Tensor) -> Tensor:
    """How pixels move with a small motion of the points: ``[n, h, w, 2, 6]``.

    ``points`` ``[n, h, w, 3]`` in camera axes, ``K`` ``[n, 3, 3]``. The last axis is (translation in metres, rotation
    vector in radians) of the points (Longuet-Higgins & Prazdny 1980).
    """
    x, y, z = points.unbind(-1)
    z = z.clamp(min=1e-3)
    x, y, inverse, nothing, one = x / z, y / z, 1 / z, torch.zeros_like(z), torch.ones_like(z)
    row_x = torch.stack([inverse, nothing, -x * inverse, -x * y, one + x * x, -y], -1)
    row_y = torch.stack([nothing, inverse, -y * inverse, -one - y * y, x * y, x], -1)
    focal = torch.stack([K[:, 0, 0], K[:, 1, 1]], -1)[:, None, None, :, None]
    return torch.stack([row_x, row_y], -2) * focal


def fit_motion(field: Tensor, flow_px: Tensor, weight: Tensor, *, iterations: int = 5) -> Tensor:
    """Motions ``[n, 6]`` that best explain ``flow_px`` ``[n, p, 2]`` through ``field`` ``[n, p, 2, 6]``.

    Least squares with ``weight`` ``[n, p]`` ≥ 0, reweighted by Geman-McClure so that movers lose their say.
    """
    dtype = field.dtype
    field, flow_px, weight = field.double(), flow_px.double(), weight.double()
    ridge = 1e-6 * torch.eye(6, dtype=torch.double, device=field.device)
    twist, robust = field.new_zeros(len(field), 6), weight
    for _ in range(iterations):
        share = robust / robust.sum(-1, keepdim=True).clamp(min=1e-12)
        weighted = (share[..., None, None] * field).flatten(1, 2).mT
        gram = weighted @ field.flatten(1, 2)
        gram = gram + ridge * gram.diagonal(dim1=1, dim2=2).sum(-1).clamp(min=1e-6)[:, None, None]
        twist = torch.linalg.solve(gram, (weighted @ flow_px.flatten(1, 2)[..., None])[..., 0])
        residual = ((field.flatten(1, 2) @ twist[..., None]).view_as(flow_px) - flow_px).norm(dim=-1)
        median = residual.where(weight > 0, torch.nan).nanmedian(-1, keepdim=True).values
        scale = (2 * median).nan_to_num(1.0).clamp(min=0.05)
        robust = weight / (1 + (residual / scale) ** 2) ** 2
    found: Tensor = twist.to(dtype)
    return found


def exponential(twist: Tensor) -> Tensor:
    """Rigid motions ``[n, 4, 4]`` of twists ``[n, 6]`` (translation, rotation)."""
    generator = twist.new_zeros(len(twist), 4, 4)
    t, (a, b, c) = twist[:, :3], twist[:, 3:].unbind(-1)
    generator[:, 0, 1], generator[:, 0, 2], generator[:, 1, 2] = -c, b, -a
    generator[:, 1, 0], generator[:, 2, 0], generator[:, 2, 1] = c, -b, a
    generator[:, :3, 3] = t
    motion: Tensor = torch.linalg.matrix_exp(generator)
    return motion


def refine(pose: Tensor, points: Tensor, K: Tensor, flow_px: Tensor, weight: Tensor, *, iterations: int = 4) -> Tensor:
    """Motions ``[n, 4, 4]`` of the points, improved until they land where the flow leads (Gauss-Newton).

    ``points`` ``[n, h, w, 3]``, ``flow_px`` ``[n, h, w, 2]``, ``weight`` ``[n, h, w]`` ≥ 0.
    """
    landing = pixel_grid(points.shape[1], points.shape[2], points) + flow_px
    every = thinning(points.shape[1], points.shape[2])
    points, landing, weight = (x[:, every // 2 :: every, every // 2 :: every] for x in (points, landing, weight))
    for _ in range(iterations):
        moved = transform(pose, points)
        front = weight * (moved[..., 2] > 0.05)
        error = landing - project(moved, K)
        twist = fit_motion(motion_field(moved, K).flatten(1, 2), error.flatten(1, 2), front.flatten(1, 2))
        pose = exponential(twist) @ pose
    return pose
