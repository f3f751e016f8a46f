"""What stands up from the ground, told from depth alone."""

from __future__ import annotations

import torch
from torch import Tensor

from worldr1.geometry.camera import pixel_grid

NEAR_M = 8.0  # of metric depth; what is farther is too coarse to tell


def raised(depth_m: Tensor) -> Tensor:
    """Pixels of depth maps ``[b, f, h, w]`` that stand up from the ground.

    The inverse depth of a plane is affine in the pixel coordinates, so the ground is a robust linear fit to the
    inverse depth of the lower half of each frame; what is nearer by an eighth is an object.
    """
    b, f, h, w = depth_m.shape
    inverse = 1 / depth_m.flatten(0, 1)
    grid = pixel_grid(h, w, inverse) / w - 0.5
    basis = torch.cat([grid, torch.ones_like(grid[..., :1])], dim=-1)
    lower = slice(h // 2, h)
    x, y = basis[lower].flatten(0, 1), inverse[:, lower].flatten(1, 2)
    products = (x[:, :, None] * x[:, None, :]).flatten(1)  # one matrix product sums them for all frames
    weight = torch.ones_like(y)
    for _ in range(8):
        gram = (weight @ products).view(-1, 3, 3) + 1e-4 * torch.eye(3, device=x.device)
        plane = torch.linalg.solve(gram, (weight * y) @ x)
        residual = y - plane @ x.T
        # objects only ever make the inverse depth larger, so positive residuals lose their say sooner
        weight = 1 / (1 + (residual / torch.where(residual > 0, 0.02, 0.04)) ** 2) ** 2
    ground = torch.einsum("hwi,ni->nhw", basis, plane).clamp(min=0)
    up = (inverse > 1.125 * ground + 0.02) & (inverse > 1 / NEAR_M)
    return up.view(b, f, h, w)
