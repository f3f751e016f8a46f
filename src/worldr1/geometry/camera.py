"""Pinhole projection. Camera axes are OpenCV's; pixels are continuous, the first one's centre at (0.5, 0.5)."""

from __future__ import annotations

import torch
from torch import Tensor


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Pixel centres ``[h, w, 2]`` as (x, y)."""
    y = torch.arange(height, device=like.device, dtype=like.dtype) + 0.5
    x = torch.arange(width, device=like.device, dtype=like.dtype) + 0.5
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def lift(depth_m: Tensor, K: Tensor) -> Tensor:
    """Points ``[..., h, w, 3]`` in metres of z-depth ``[..., h, w]`` seen through ``K`` ``[..., 3, 3]``."""
    grid = pixel_grid(depth_m.shape[-2], depth_m.shape[-1], depth_m)
    focal = torch.stack([K[..., 0, 0], K[..., 1, 1]], dim=-1)[..., None, None, :]
    centre = torch.stack([K[..., 0, 2], K[..., 1, 2]], dim=-1)[..., None, None, :]
    xy = (grid - centre) / focal * depth_m[..., None]
    return torch.cat([xy, depth_m[..., None].expand_as(xy[..., :1])], dim=-1)


def project(points: Tensor, K: Tensor) -> Tensor:
    """Pixels ``[..., h, w, 2]`` of camera-frame points ``[..., h, w, 3]``; behind the camera they are far outside."""
    z = points[..., 2:].clamp(min=1e-4)
    focal = torch.stack([K[..., 0, 0], K[..., 1, 1]], dim=-1)[..., None, None, :]
    centre = torch.stack([K[..., 0, 2], K[..., 1, 2]], dim=-1)[..., None, None, :]
    return points[..., :2] / z * focal + centre


def transform(pose: Tensor, points: Tensor) -> Tensor:
    """Apply rigid transforms ``[..., 4, 4]`` to points ``[..., h, w, 3]``."""
    # one product a picture: a matrix a point would be copied out for every pixel
    moved = points.flatten(-3, -2) @ pose[..., :3, :3].mT.contiguous() + pose[..., None, :3, 3]
    out: Tensor = moved.unflatten(-2, points.shape[-3:-1])
    return out


def inside(pixels: Tensor, height: int, width: int, margin: float = 0.5) -> Tensor:
    """Which pixels ``[..., 2]`` can be sampled without looking past the border: bool ``[...]``."""
    x, y = pixels[..., 0], pixels[..., 1]
    return (x >= margin) & (x <= width - margin) & (y >= margin) & (y <= height - margin)


def sample(image: Tensor, pixels: Tensor) -> Tensor:
    """Bilinear values ``[n, c, h, w]`` of ``image`` ``[n, c, H, W]`` at ``pixels`` ``[n, h, w, 2]``; edges extend."""
    size = torch.tensor([image.shape[-1], image.shape[-2]], device=pixels.device, dtype=pixels.dtype)
    place = pixels * (2 / size)
    place -= 1
    return torch.nn.functional.grid_sample(image, place, mode="bilinear", padding_mode="border", align_corners=False)
