"""Coloured points drawn into a picture with a z-buffer."""

from __future__ import annotations

import torch
from torch import Tensor

_SAME_SURFACE = 0.05  # of the distance: points this close to the nearest are blended


def splat(
    pixels: Tensor, depth_m: Tensor, values: Tensor, weight: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Bilinear splats of points; the nearest surface of each pixel wins.

    ``pixels`` ``[n, p, 2]``, ``depth_m`` ``[n, p]``, ``values`` ``[n, p, c]``, ``weight`` ``[n, p]`` ≥ 0 (0 leaves a
    point out). Returns pictures ``[n, c, h, w]`` and what covers each pixel, the summed weights ``[n, h, w]``.
    Differentiable in values, weights and, while no point changes its pixel or surface, pixels.
    """
    n, _, channels = values.shape
    corner = (pixels.detach() - 0.5).floor()
    fraction = pixels - 0.5 - corner
    indices, weights = [], []
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        x, y = corner[..., 0] + dx, corner[..., 1] + dy
        fx = fraction[..., 0] if dx else 1 - fraction[..., 0]
        fy = fraction[..., 1] if dy else 1 - fraction[..., 1]
        ok = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (depth_m > 1e-3)
        weights.append(weight * fx * fy * ok)
        indices.append((y * width + x).where(ok, 0.0).long())
    index, w = torch.cat(indices, 1), torch.cat(weights, 1)
    depth = depth_m.repeat(1, 4)
    # a point that hardly touches a pixel must not hide what is there
    buffer = depth.new_full((n, height * width), torch.inf)
    buffer = buffer.scatter_reduce(1, index, depth.detach().where(w > 0.1 * weight.repeat(1, 4), torch.inf), "amin")
    w = w * (depth <= buffer.gather(1, index) * (1 + _SAME_SURFACE))
    cover = w.new_zeros(n, height * width).scatter_add(1, index, w)
    total = values.new_zeros(n, height * width, channels)
    total = total.scatter_add(1, index[..., None].expand(-1, -1, channels), values.repeat(1, 4, 1) * w[..., None])
    picture = total / cover.clamp(min=1e-6)[..., None]
    return picture.mT.reshape(n, channels, height, width), cover.view(n, height, width)
