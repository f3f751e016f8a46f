"""Camera from flow, and flow from the camera: what a second look at flow starts from."""

from __future__ import annotations

import torch
from torch import Tensor

from worldr1.geometry.camera import inside, lift, pixel_grid, project, sample, transform
from worldr1.geometry.rigid import fit_rigid_robust
from worldr1.rewards.bundle import adjust
from worldr1.rewards.flow_edges import follow_edges
from worldr1.rewards.motion_field import refine
from worldr1.rewards.tracks import FAR_M


def ego_flow(depth_m: Tensor, c2w: Tensor, K: Tensor) -> Tensor:
    """Flow ``[2, b, f-1, h, w, 2]`` in pixels of a world at rest, to the next frame and from it back.

    Depth ``[b, f, h, w]``, camera ``[b, f, 4, 4]``, intrinsics ``[b, 3, 3]``.
    """
    h, w = depth_m.shape[2:]
    ahead = torch.linalg.inv(c2w[:, 1:]) @ c2w[:, :-1]
    ways = ((depth_m[:, :-1], ahead), (depth_m[:, 1:], torch.linalg.inv(ahead)))
    K_step = K[:, None].expand(*ahead.shape[:2], 3, 3)
    grid = pixel_grid(h, w, depth_m)
    return torch.stack([project(transform(step, lift(d, K_step)), K_step) - grid for d, step in ways])


def adjusted(depth_m: Tensor, flow: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    """Depth ``[b, f, h, w]`` and camera ``[b, f, 4, 4]`` that agree best with flow ``[2, b, f-1, h, w, 2]``."""
    return adjust(depth_m, camera_path(depth_m, flow, K, refined=True), K, follow_edges(flow[0], flow[1]))


def camera_path(depth_m: Tensor, flow: Tensor, K: Tensor, *, refined: bool = False) -> Tensor:
    """Camera ``[b, f, 4, 4]``, the first frame's the identity: steps are rigid fits of points lifted by depth
    ``[b, f, h, w]`` along flow ``[2, b, f-1, h, w, 2]``, and, ``refined``, of where that leads."""
    b, f, h, w = depth_m.shape
    forward, backward = flow
    K = K[:, None].expand(b, f - 1, 3, 3).flatten(0, 1)
    points = lift(depth_m[:, :-1].flatten(0, 1), K)
    following = lift(depth_m[:, 1:].flatten(0, 1), K)
    landing = pixel_grid(h, w, depth_m) + forward.flatten(0, 1)
    target = sample(following.permute(0, 3, 1, 2), landing).permute(0, 2, 3, 1)
    back = sample(backward.flatten(0, 1).permute(0, 3, 1, 2), landing).permute(0, 2, 3, 1)
    round_trip = (forward.flatten(0, 1) + back).norm(dim=-1)
    good = inside(landing, h, w) & (round_trip < 1.0) & (points[..., 2] < FAR_M) & (target[..., 2] < FAR_M)
    weight = good.float() / points[..., 2] ** 2  # the error of estimated depth grows with depth
    pose = fit_rigid_robust(points.flatten(1, 2), target.flatten(1, 2), weight.flatten(1, 2))
    if refined:
        pose = refine(pose, points, K, forward.flatten(0, 1), good.to(points))
    back_step = torch.linalg.inv(pose.view(b, f - 1, 4, 4))
    c2w = [torch.eye(4, dtype=depth_m.dtype, device=depth_m.device).repeat(b, 1, 1)]
    for t in range(f - 1):
        c2w.append(c2w[-1] @ back_step[:, t])
    return torch.stack(c2w, 1)
