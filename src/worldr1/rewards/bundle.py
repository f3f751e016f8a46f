"""Dense bundle adjustment: the one resting world and the one camera path that explain a clip's optical flow best."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from worldr1.geometry.camera import inside, lift, pixel_grid, project, sample, transform
from worldr1.rewards.motion_field import exponential, motion_field

GAPS = (1, 2, 4)  # frames over which flow is followed, ahead and back
DEPTH_SIGMA = 0.15  # of the logarithm of the depth that adjustment starts from
_FLOW_SIGMA_PX, _FLOW_SIGMA_OF_DIAGONAL = 0.3, 0.001  # of one step of flow (the larger one)
_LEAST_M, _FARTHEST_M = 0.05, 20.0
_MOST_PER_SIDE = 96  # pixels of a frame's shorter side that are adjusted; larger frames are thinned to that
_POINTS_PER_SIDE = 14  # of those that decide about the camera
_ROUNDS = 3
_LARGEST_STEP = 0.3  # of log depth


@dataclass(frozen=True)
class Edges:
    """Flow between pairs of frames: ``n`` directed pairs, ``h`` x ``w`` of the pixels of their earlier frames."""

    start: Tensor  # [n] frames
    end: Tensor  # [n]
    landing: Tensor  # [b, n, h, w, 2] pixels in the later frame
    trusted: Tensor  # [b, n, h, w] in [0, 1]
    sigma_px: Tensor  # [n]


def _thinned(height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns that are adjusted: all of a small picture."""
    every = max(1, min(height, width) // _MOST_PER_SIDE)
    return slice(every // 2, None, every), slice(every // 2, None, every)


def follow_edges(forward_px: Tensor, backward_px: Tensor, gaps: tuple[int, ...] = GAPS) -> Edges:
    """Edges of all frames from flow ``[b, f-1, h, w, 2]`` to the next frame and back, chained over ``gaps``."""
    b, steps, height, width, _ = forward_px.shape
    f, thin = steps + 1, _thinned(height, width)
    grid = pixel_grid(height, width, forward_px)[thin]
    h, w = grid.shape[:2]
    sigma = max(_FLOW_SIGMA_PX, _FLOW_SIGMA_OF_DIAGONAL * math.hypot(height, width))
    start, end, landings, trust, sigmas = [], [], [], [], []
    for sign, ahead, behind in ((1, forward_px, backward_px), (-1, backward_px, forward_px)):
        place = grid.expand(b, f, h, w, 2).clone()
        seen = torch.ones(b, f, h, w, dtype=torch.bool, device=grid.device)
        for gap in range(1, max(gaps) + 1):
            if gap > steps:
                break
            first = range(f - gap) if sign > 0 else range(gap, f)
            flow_at = [t + gap - 1 if sign > 0 else t - gap for t in first]
            here = place[:, list(first)].flatten(0, 1)
            moved = here + sample(ahead[:, flow_at].flatten(0, 1).permute(0, 3, 1, 2), here).permute(0, 2, 3, 1)
            back = sample(behind[:, flow_at].flatten(0, 1).permute(0, 3, 1, 2), moved).permute(0, 2, 3, 1)
            ok = inside(moved, height, width) & ((moved + back - here).norm(dim=-1) < 1.0)
            place[:, list(first)] = moved.view(b, -1, h, w, 2)
            seen[:, list(first)] &= ok.view(b, -1, h, w)
            if gap in gaps:
                start += list(first)
                end += [t + sign * gap for t in first]
                landings.append(place[:, list(first)].clone())
                trust.append(seen[:, list(first)].clone())
                sigmas += [sigma * gap**0.5] * len(first)
    device = grid.device
    return Edges(
        torch.tensor(start, device=device),
        torch.tensor(end, device=device),
        torch.cat(landings, 1),
        torch.cat(trust, 1).to(grid),
        torch.tensor(sigmas, device=device),
    )


def adjoint(pose: Tensor) -> Tensor:
    """Adjoint ``[..., 6, 6]`` of rigid motions ``[..., 4, 4]`` for twists (translation, rotation)."""
    R, t = pose[..., :3, :3], pose[..., :3, 3]
    zero = torch.zeros_like(t[..., 0])
    x, y, z = t.unbind(-1)
    hat = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    return torch.cat([torch.cat([R, hat @ R], -1), torch.cat([torch.zeros_like(R), R], -1)], -2)


def _residual(points: Tensor, w2c: Tensor, K: Tensor, edges: Edges) -> tuple[Tensor, Tensor, Tensor]:
    """Points carried over every edge ``[b, n, ..., 3]``, the error ``[b, n, ..., 2]`` of where they land, and the
    motions ``[b, n, 4, 4]`` that carry them."""
    motion = w2c[:, edges.end] @ torch.linalg.inv(w2c[:, edges.start])
    moved = transform(motion, points[:, edges.start])
    return moved, edges.landing - project(moved, K[:, None]), motion


def _robust(error: Tensor, sigma: Tensor) -> Tensor:
    """Geman-McClure weights of errors ``[b, n, ..., 2]``, per square pixel."""
    s = sigma.view(1, -1, *[1] * (error.dim() - 3))
    weight: Tensor = 1 / (1 + (error.norm(dim=-1) / (3 * s)) ** 2) ** 2 / s**2
    return weight


def adjust(depth_m: Tensor, c2w: Tensor, K: Tensor, edges: Edges) -> tuple[Tensor, Tensor]:
    """Depth ``[b, f, h, w]`` and camera ``[b, f, 4, 4]``, improved together until points land where flow leads.

    Of large frames only every few pixels are adjusted, and the change of their depth is spread to the others.

    Every pixel's log depth is held at the given one with a deviation of .15, so that pixels without parallax, and
    movers, keep it. Gauss-Newton with the depths eliminated (Schur complement) on a grid of points for the camera,
    then every pixel's depth by itself (Triggs et al. 1999; for dense flow Teed & Deng 2021, DROID-SLAM).
    """
    b, f, height, width = depth_m.shape
    rows, columns = _thinned(height, width)
    rays = lift(torch.ones_like(depth_m), K[:, None].expand(b, f, 3, 3))[:, :, rows, columns]
    prior = depth_m[:, :, rows, columns].clamp(_LEAST_M, _FARTHEST_M).log()
    log_depth, w2c = prior.clone(), torch.linalg.inv(c2w)
    every = max(1, min(prior.shape[2:]) // _POINTS_PER_SIDE)
    thin = slice(every // 2, None, every)
    few = replace(edges, landing=edges.landing[:, :, thin, thin], trusted=edges.trusted[:, :, thin, thin])
    for _ in range(_ROUNDS):
        depth, start, ray = (x[:, :, thin, thin] for x in (log_depth, prior, rays))
        w2c, log_depth[:, :, thin, thin] = _adjust_camera(depth, start, ray, w2c, K, few)
        log_depth = _adjust_depth(log_depth, prior, rays, w2c, K, edges)
    change = log_depth - prior
    if change.shape[2:] != depth_m.shape[2:]:
        change = torch.nn.functional.interpolate(change, (height, width), mode="bilinear", align_corners=False)
    return depth_m.clamp(_LEAST_M, _FARTHEST_M) * change.exp(), torch.linalg.inv(w2c)


def _jacobians(moved: Tensor, motion: Tensor, K: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How landings change with the later camera's twist ``[b, n, h, w, 2, 6]``, the earlier one's, and log depth
    ``[b, n, h, w, 2]``."""
    b, n = moved.shape[:2]
    field = motion_field(moved.flatten(0, 1), K[:, None].expand(b, n, 3, 3).flatten(0, 1)).unflatten(0, (b, n))
    later = field
    earlier = -(field.flatten(2, 4) @ adjoint(motion)).view_as(field)
    # a point that recedes along its ray moves in the other picture against the baseline
    by_depth = -torch.einsum("bnhwck,bnk->bnhwc", field[..., :3], motion[..., :3, 3])
    return later, earlier, by_depth


def _adjust_camera(
    log_depth: Tensor, prior: Tensor, rays: Tensor, w2c: Tensor, K: Tensor, edges: Edges
) -> tuple[Tensor, Tensor]:
    """One Gauss-Newton step of camera and depth, on few enough pixels that both fit into one system."""
    b, f, h, w = log_depth.shape
    moved, error, motion = _residual(rays * log_depth.exp()[..., None], w2c, K, edges)
    later, earlier, by_depth = _jacobians(moved, motion, K)
    weight = _robust(error, edges.sigma_px) * edges.trusted * (moved[..., 2] > _LEAST_M)
    later, earlier, by_depth, error = (x.flatten(2, 3).double() for x in (later, earlier, by_depth, error))
    weight = weight.flatten(2, 3).double()
    p = h * w
    H = error.new_zeros(b, f, f, 6, 6)
    g = error.new_zeros(b, f, 6)
    E = error.new_zeros(b, f, f, 6, p)  # camera, frame of the depth
    C = error.new_full((b, f, p), DEPTH_SIGMA**-2)
    e = (prior - log_depth).flatten(2).double() * DEPTH_SIGMA**-2
    wl, we = weight[..., None, None] * later, weight[..., None, None] * earlier
    pairs = {"ll": (wl, later), "le": (wl, earlier), "el": (we, later), "ee": (we, earlier)}
    s, t = edges.start, edges.end
    index = {"l": t, "e": s}
    for name, (a, c) in pairs.items():
        block = torch.einsum("bnpci,bnpcj->bnij", a, c)
        H.view(b, f * f, 6, 6).index_add_(1, index[name[0]] * f + index[name[1]], block)
    for k, a in (("l", wl), ("e", we)):
        g.index_add_(1, index[k], torch.einsum("bnpci,bnpc->bni", a, error))
        E.view(b, f * f, 6, p).index_add_(1, index[k] * f + s, torch.einsum("bnpci,bnpc->bnip", a, by_depth))
    wd = weight[..., None] * by_depth
    C.index_add_(1, s, (wd * by_depth).sum(-1))
    e.index_add_(1, s, (wd * error).sum(-1))
    # eliminate the depths, hold the first camera
    EC = E / C[:, None, :, None]
    S = H.permute(0, 1, 3, 2, 4).reshape(b, f * 6, f * 6) - torch.einsum("bxdip,bydjp->bxiyj", EC, E).reshape(
        b, f * 6, f * 6
    )
    r = (g - torch.einsum("bxdip,bdp->bxi", EC, e)).reshape(b, f * 6)
    S, r = S[:, 6:, 6:], r[:, 6:]
    S = S + torch.diag_embed(1e-3 * S.diagonal(dim1=1, dim2=2).clamp(min=1e-3) + 1e-4)
    twist = torch.cat([r.new_zeros(b, 6), torch.linalg.solve(S, r)], 1).view(b, f, 6)
    step = (e - torch.einsum("bxdip,bxi->bdp", E, twist)) / C
    w2c = exponential(twist.flatten(0, 1).to(w2c)).view(b, f, 4, 4) @ w2c
    return w2c, (log_depth + step.view(b, f, h, w).to(log_depth).clamp(-_LARGEST_STEP, _LARGEST_STEP))


def _adjust_depth(log_depth: Tensor, prior: Tensor, rays: Tensor, w2c: Tensor, K: Tensor, edges: Edges) -> Tensor:
    """One Gauss-Newton step of every pixel's depth under a held camera.

    `_residual` and the last of `_jacobians` for all pixels, clip by clip and coordinate by coordinate: what is held at
    a time then stays near the processor, in a quarter of the time.
    """
    clips = [replace(edges, landing=edges.landing[i], trusted=edges.trusted[i]) for i in range(len(K))]
    better = map(_better_depth, log_depth, prior, rays, w2c, K, clips)
    return torch.stack(list(better))


def _better_depth(log_depth: Tensor, prior: Tensor, rays: Tensor, w2c: Tensor, K: Tensor, edges: Edges) -> Tensor:
    """`_adjust_depth` of one clip: everything, also of its edges, without the first axis."""
    depth = log_depth.exp().flatten(1)
    motion = w2c[edges.end] @ torch.linalg.inv(w2c[edges.start])
    turned = motion[:, :3, :3] @ rays[0].flatten(0, 1).mT  # [n, 3, pixels]: all frames have the clip's intrinsics
    t = motion[:, :3, 3, None].unbind(1)
    x, y, z = (depth[edges.start] * r + s for r, s in zip(turned.unbind(1), t, strict=True))
    weight = edges.trusted.flatten(1) * (z > _LEAST_M)
    near = 1 / z.clamp(min=_LEAST_M)
    by_depth, error = [], []
    for place, focal, centre, along, landing in zip(
        (x, y), K.diagonal()[:2], K[:2, 2], t[:2], edges.landing.flatten(1, 2).unbind(-1), strict=True
    ):
        place *= near
        by_depth.append((place * t[2] - along) * near * focal)
        error.append(landing - centre - focal * place)
    variance = edges.sigma_px[:, None] ** 2
    weight /= (1 + (error[0] ** 2 + error[1] ** 2) / (9 * variance)) ** 2 * variance
    C = torch.full_like(depth, DEPTH_SIGMA**-2)
    e = (prior - log_depth).flatten(1) * DEPTH_SIGMA**-2
    C.index_add_(0, edges.start, weight * (by_depth[0] ** 2 + by_depth[1] ** 2))
    e.index_add_(0, edges.start, weight * (by_depth[0] * error[0] + by_depth[1] * error[1]))
    return log_depth + (e / C).clamp(-_LARGEST_STEP, _LARGEST_STEP).view_as(log_depth)
