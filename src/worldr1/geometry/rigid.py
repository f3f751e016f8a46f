"""Rigid motion between point sets that mostly agree."""

from __future__ import annotations

import torch
from torch import Tensor

_AT_ONCE = 128  # fits whose points stay in the processor's cache


def fit_rigid(source: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted least-squares rigid transforms: ``source`` to ``target``.

    ``source``, ``target`` ``[n, points, 3]``, ``weight`` ``[n, points]`` ≥ 0; returns ``[n, 4, 4]``.
    Kabsch 1976 with Umeyama's sign correction (TPAMI 1991).
    """
    return _fit(source.mT.contiguous(), target.mT.contiguous(), weight)


def _fit(source: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """`fit_rigid` of coordinates ``[n, 3, points]``: long rows cost half of what rows of three do."""
    weight = (weight / weight.sum(-1, keepdim=True).clamp(min=1e-8))[:, None]
    mean_s, mean_t = (weight * source).sum(-1, keepdim=True), (weight * target).sum(-1, keepdim=True)
    covariance = (weight * (target - mean_t)) @ (source - mean_s).mT
    u, _, vh = torch.linalg.svd(covariance.double())
    sign = torch.ones(len(u), 3, dtype=u.dtype, device=u.device)
    sign[:, 2] = torch.sign(torch.linalg.det(u @ vh))
    rotation = ((u * sign[:, None]) @ vh).to(source.dtype)
    pose = torch.eye(4, dtype=source.dtype, device=source.device).repeat(len(u), 1, 1)
    pose[:, :3, :3] = rotation
    pose[:, :3, 3:] = mean_t - rotation @ mean_s
    return pose


def fit_rigid_robust(source: Tensor, target: Tensor, weight: Tensor, *, iterations: int = 8) -> Tensor:
    """`fit_rigid` reweighted so that points that move otherwise lose their say; shapes as there.

    Geman-McClure weights, the scale tied to the median residual.
    """
    parts = zip(*(x.split(_AT_ONCE) for x in (source, target, weight)), strict=True)
    return torch.cat([_fit_robust(s.mT.contiguous(), t.mT.contiguous(), w, iterations) for s, t, w in parts])


def _fit_robust(source: Tensor, target: Tensor, weight: Tensor, iterations: int) -> Tensor:
    """`fit_rigid_robust` of coordinates ``[n, 3, points]``."""
    pose = _fit(source, target, weight)
    valid, distance = weight > 0, target[:, 2].clamp(min=0.1)
    for _ in range(iterations):
        off = pose[:, :3, :3] @ source + pose[:, :3, 3:] - target
        # relative to distance: the error of an estimated depth grows with it
        residual = off.square().sum(1).sqrt() / distance
        median = torch.where(valid, residual, torch.nan).nanmedian(-1, keepdim=True).values
        scale = (2 * median).nan_to_num(1.0).clamp(min=1e-4)
        pose = _fit(source, target, weight / (1 + (residual / scale) ** 2) ** 2)
    return pose


def rotation_angle_deg(rotation: Tensor) -> Tensor:
    """Angle of rotation matrices ``[..., 3, 3]`` in degrees: ``[...]``."""
    cosine = (rotation.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    return torch.rad2deg(torch.arccos(cosine.clamp(-1, 1)))
