"""Rigid motion between point sets that mostly agree."""

from __future__ import annotations

import torch
from torch import Tensor


def fit_rigid(source: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted least-squares rigid transforms: ``source`` to ``target``.

    ``source``, ``target`` ``[n, points, 3]``, ``weight`` ``[n, points]`` ≥ 0; returns ``[n, 4, 4]``.
    Kabsch 1976 with Umeyama's sign correction (TPAMI 1991).
    """
    weight = weight / weight.sum(-1, keepdim=True).clamp(min=1e-8)
    mean_s = (weight[..., None] * source).sum(1)
    mean_t = (weight[..., None] * target).sum(1)
    covariance = (weight[..., None] * (target - mean_t[:, None])).mT @ (source - mean_s[:, None])
    u, _, vh = torch.linalg.svd(covariance.double())
    sign = torch.ones(len(u), 3, dtype=u.dtype, device=u.device)
    sign[:, 2] = torch.sign(torch.linalg.det(u @ vh))
    rotation = ((u * sign[:, None]) @ vh).to(source.dtype)
    pose = torch.eye(4, dtype=source.dtype, device=source.device).repeat(len(u), 1, 1)
    pose[:, :3, :3] = rotation
    pose[:, :3, 3] = mean_t - (rotation @ mean_s[..., None])[..., 0]
    return pose


def fit_rigid_robust(source: Tensor, target: Tensor, weight: Tensor, *, iterations: int = 8) -> Tensor:
    """`fit_rigid` reweighted so that points that move otherwise lose their say; shapes as there.

    Geman-McClure weights, the scale tied to the median residual.
    """
    pose = fit_rigid(source, target, weight)
    valid = weight > 0
    for _ in range(iterations):
        moved = source @ pose[:, :3, :3].mT + pose[:, None, :3, 3]
        # relative to distance: the error of an estimated depth grows with it
        residual = (moved - target).norm(dim=-1) / target[..., 2].clamp(min=0.1)
        median = torch.where(valid, residual, torch.nan).nanmedian(-1, keepdim=True).values
        scale = (2 * median).nan_to_num(1.0).clamp(min=1e-4)
        pose = fit_rigid(source, target, weight / (1 + (residual / scale) ** 2) ** 2)
    return pose


def rotation_angle_deg(rotation: Tensor) -> Tensor:
    """Angle of rotation matrices ``[..., 3, 3]`` in degrees: ``[...]``."""
    cosine = (rotation.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    return torch.rad2deg(torch.arccos(cosine.clamp(-1, 1)))
