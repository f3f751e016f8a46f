"""Dense bundle adjustment: the one resting world and the one camera path that explain a clip's optical flow best."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from worldr1.geometry.camera import lift, project, transform
from worldr1.rewards.flow_edges import Edges, thinned
from worldr1.rewards.motion_field import exponential, motion_field
from worldr1.rewards.tracks import FAR_M

DEPTH_SIGMA = 0.15  # of the logarithm of a pixel's depth that adjustment starts from
SCALE_SIGMA = 0.05  # and of the scale of a frame's, by which a network's depth drifts
_LEAST_M, _FARTHEST_M = 0.05, 20.0
_POINTS_PER_SIDE = 14  # of those that decide about the camera
_ROUNDS = 3
_LARGEST_STEP = 0.3  # of log depth


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

    Every pixel's log depth is held with a deviation of .15 at the given one times a scale of its frame, so that pixels
    without parallax, and movers, keep it (the sky without the scale). Scales are adjusted too, held at 1 with a
    deviation of .05, their mean much closer: thousands of pixels that are off by one factor would outweigh what flow
    says of it. Gauss-Newton with the depths eliminated (Schur complement) on a grid of points for the camera and the
    scales, then every pixel's depth by itself (Triggs et al. 1999; for dense flow Teed & Deng 2021, DROID-SLAM).
    """
    b, f, height, width = depth_m.shape
    rows, columns = thinned(height, width)
    rays = lift(torch.ones_like(depth_m), K[:, None].expand(b, f, 3, 3))[:, :, rows, columns]
    prior = depth_m[:, :, rows, columns].clamp(_LEAST_M, _FARTHEST_M).log()
    log_depth, w2c = prior.clone(), torch.linalg.inv(c2w)
    scale = prior.new_zeros(b, f, 1, 1)  # its logarithm
    scaled = (prior < math.log(FAR_M)).to(prior)  # the sky is as far as a network goes, whatever its scale
    every = max(1, min(prior.shape[2:]) // _POINTS_PER_SIDE)
    thin = slice(every // 2, None, every)
    few = replace(edges, landing=edges.landing[:, :, thin, thin], trusted=edges.trusted[:, :, thin, thin])
    for _ in range(_ROUNDS):
        depth, start, ray, which = (x[:, :, thin, thin] for x in (log_depth, prior, rays, scaled))
        w2c, step = _adjust_camera(depth, start, which, scale, ray, w2c, K, few)
        scale = scale + step
        log_depth = _adjust_depth(log_depth + scaled * step, prior + scaled * scale, rays, w2c, K, edges)
    change = log_depth - prior
    if change.shape[2:] != depth_m.shape[2:]:
        change = interpolate(change, (height, width), mode="bilinear", align_corners=False)
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
    log_depth: Tensor, prior: Tensor, scaled: Tensor, scale: Tensor, rays: Tensor, w2c: Tensor, K: Tensor, edges: Edges
) -> tuple[Tensor, Tensor]:
    """One Gauss-Newton step on few enough pixels that camera, depth and the frames' scales fit into one system: the
    camera, and by how much the logarithms of the scales ``[b, f, 1, 1]`` change, which hold for the pixels ``scaled``,
    1 or 0."""
    b, f, h, w = log_depth.shape
    moved, error, motion = _residual(rays * log_depth.exp()[..., None], w2c, K, edges)
    later, earlier, by_depth = _jacobians(moved, motion, K)
    weight = _robust(error, edges.sigma_px) * edges.trusted * (moved[..., 2] > _LEAST_M)
    later, earlier, by_depth, error = (x.flatten(2, 3).double() for x in (later, earlier, by_depth, error))
    later, earlier = pad(later, (0, 1)), pad(earlier, (0, 1))  # a frame's twist, and its scale, which moves nothing
    weight = weight.flatten(2, 3).double()
    p, held = h * w, DEPTH_SIGMA**-2
    H = error.new_zeros(b, f, f, 7, 7)
    g = error.new_zeros(b, f, 7)
    E = error.new_zeros(b, f, f, 7, p)  # frame, frame of the depth
    away, scaled = ((log_depth - prior - scaled * scale).flatten(2).double(), scaled.flatten(2).double())
    C = torch.full_like(away, held)
    e = -held * away
    wl, we = weight[..., None, None] * later, weight[..., None, None] * earlier
    pairs = {"ll": (wl, later), "le": (wl, earlier), "el": (we, later), "ee": (we, earlier)}
    s, t = edges.start, edges.end
    index = {"l": t, "e": s}
    for name, (a, c) in pairs.items():
        block = torch.einsum("bnpci,bnpcj->bnij", a, c)
        H.view(b, f * f, 7, 7).index_add_(1, index[name[0]] * f + index[name[1]], block)
    for k, a in (("l", wl), ("e", we)):
        g.index_add_(1, index[k], torch.einsum("bnpci,bnpc->bni", a, error))
        E.view(b, f * f, 7, p).index_add_(1, index[k] * f + s, torch.einsum("bnpci,bnpc->bnip", a, by_depth))
    # a scale is held at 1 by itself, and by how far every depth of its frame is from the given one times it
    every = torch.arange(f, device=s.device)
    H[:, every, every, 6, 6] += held * scaled.sum(-1) + SCALE_SIGMA**-2
    g[..., 6] += held * (scaled * away).sum(-1) - scale.flatten(1) * SCALE_SIGMA**-2
    # all frames together keep theirs, by every pixel's say: else a sky that is really farther would shrink the rest
    H[..., 6, 6] += held * p / f
    g[..., 6] -= held * p * scale.flatten(1).mean(1, keepdim=True)
    E[:, every, every, 6] -= held * scaled
    wd = weight[..., None] * by_depth
    C.index_add_(1, s, (wd * by_depth).sum(-1))
    e.index_add_(1, s, (wd * error).sum(-1))
    # eliminate the depths, hold the first camera
    EC = E / C[:, None, :, None]
    S = (H - torch.einsum("bxdip,bydjp->bxyij", EC, E)).permute(0, 1, 3, 2, 4).reshape(b, f * 7, f * 7)
    r = (g - torch.einsum("bxdip,bdp->bxi", EC, e)).reshape(b, f * 7)
    S, r = S[:, 6:, 6:], r[:, 6:]
    S = S + torch.diag_embed(1e-3 * S.diagonal(dim1=1, dim2=2).clamp(min=1e-3) + 1e-4)
    step = torch.cat([r.new_zeros(b, 6), torch.linalg.solve(S, r)], 1).view(b, f, 7).to(w2c)
    w2c = exponential(step[..., :6].flatten(0, 1)).view(b, f, 4, 4) @ w2c
    return w2c, step[..., 6, None, None].clamp(-_LARGEST_STEP, _LARGEST_STEP)


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
