"""Initial noise that moves as the prompt's camera does, each entry still standard normal."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from worldr1.geometry.camera import lift, project, transform
from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.types import CameraPath, Prompt

FAR_M = 6.0  # depth of whatever is not ground: the backdrop
_SUBCELLS = 4  # a side: noise moves in steps of this share of a latent cell


def coarse_depth(c2w: Tensor, K: Tensor, height: int, width: int) -> Tensor:
    """Z-depth in metres ``[frames, h, w]`` of a ground at z = 0 before a backdrop at `FAR_M`.

    Poses ``[frames, 4, 4]`` in the z-up world, intrinsics ``[frames, 3, 3]`` of ``h`` x ``w`` pixels. A camera at or
    below the ground, as in paths that start at the identity, sees the backdrop alone.
    """
    rays = lift(torch.ones(len(c2w), height, width, dtype=c2w.dtype), K)  # of z-depth 1
    rotation = c2w[:, None, None, :3, :3]
    falling = -(rotation @ rays[..., None])[..., 2, 0]  # metres of height lost per metre of depth
    above = c2w[:, 2, 3].clamp(min=0)[:, None, None]
    depth = torch.where(falling > 1e-6, above / falling.clamp(min=1e-6), FAR_M)
    return torch.where(above > 0.05, depth, FAR_M).clamp(0.05, FAR_M)


def flow_back(camera: CameraPath, i: int, j: int, height: int, width: int) -> Tensor:
    """Where pixels ``[h, w, 2]`` of frame ``i`` were in frame ``j``, over the coarse depth; ``K`` fits the size."""
    depth = coarse_depth(camera.c2w[i : i + 1], camera.K[i : i + 1], height, width)
    pose = torch.linalg.inv(camera.c2w[j : j + 1]) @ camera.c2w[i : i + 1]
    return project(transform(pose, lift(depth, camera.K[i : i + 1])), camera.K[j : j + 1])[0]


def carry(noise: Tensor, source: Tensor, fresh: Tensor) -> Tensor:
    """Noise ``[channels, h, w]`` moved to where its pixels go, ``fresh`` where nothing arrives.

    ``source`` ``[h, w, 2]`` says where each pixel was. A pixel is handed on at most once, to whoever asks from the
    nearest, so that the values stay independent: interpolating, or copying twice, would correlate neighbours.
    """
    channels, height, width = noise.shape
    cell = source.floor()
    x, y = cell.unbind(-1)
    index = (y * width + x).flatten().long()
    offset = (source - cell - 0.5).norm(dim=-1).flatten()
    target = torch.nonzero(((x >= 0) & (x < width) & (y >= 0) & (y < height)).flatten())[:, 0]
    target = target[torch.argsort(offset[target], stable=True)]
    target = target[torch.argsort(index[target], stable=True)]
    first = torch.ones(len(target), dtype=torch.bool)
    first[1:] = index[target][1:] != index[target][:-1]
    target = target[first]
    out = fresh.flatten(1).clone()
    out[:, target] = noise.flatten(1)[:, index[target]]
    return out.view(channels, height, width)


def camera_noise(
    camera: CameraPath,
    shape: tuple[int, int, int],
    channels: int,
    num_pixels: tuple[int, int],
    share: float,
    generator: torch.Generator,
    padding: int = 0,
) -> Tensor:
    """Noise ``[channels, frames', h', w']`` whose cells follow the camera's motion from latent frame to latent frame.

    White noise at several subcells per latent cell is carried along the flow of the coarse depth and summed over
    each cell, divided by the square root of their number. Every entry is N(0, 1), entries of one frame are
    independent, and entries along the flow correlate by ``share``² times the part of a cell that is still there.
    ``num_pixels`` (height, width) are those that ``camera.K`` is for; the first ``padding`` latent frames come before
    the clip's own. After the noise warping of World-R1 and
    Go-with-the-Flow (Burgert et al. 2025, arXiv:2501.08331), by transport in the place of interpolation.
    """
    frames, height, width = shape
    size = (height * _SUBCELLS, width * _SUBCELLS)
    # causal codecs: the first latent frame is the first frame, the last stands for the last few
    own = torch.linspace(0, len(camera.c2w) - 1, frames - padding).round().long()
    steps = torch.cat([torch.zeros(padding, dtype=torch.long), own])
    scale = torch.tensor([size[1] / num_pixels[1], size[0] / num_pixels[0], 1.0]).to(camera.K)
    path = CameraPath(camera.c2w[steps], camera.K[steps] * scale[:, None])
    fine = torch.randn(channels, *size, generator=generator)
    out = [fine]
    for t in range(1, frames):
        fresh = torch.randn(channels, *size, generator=generator)
        out.append(carry(out[-1], flow_back(path, t, t - 1, *size), fresh))
    moved = torch.nn.functional.avg_pool2d(torch.stack(out, 1), _SUBCELLS) * _SUBCELLS
    white = torch.randn(moved.shape, generator=generator)
    return share * moved + math.sqrt(1 - share**2) * white


def camera_conditioned(policy: DiffusersPolicy, share: float) -> Callable[[Prompt, torch.Generator], Tensor]:
    """Initial noise for a policy: tokens ``[tokens, channels]`` of a prompt, white where it names no camera path."""

    def initial(prompt: Prompt, generator: torch.Generator) -> Tensor:
        if prompt.camera is None:
            return policy.draw([generator])[0]
        channels = policy.draw([torch.Generator()]).shape[-1]
        pixels = (policy.height, policy.width)
        noise = camera_noise(prompt.camera, policy.shape, channels, pixels, share, generator, policy.padding)
        return noise.flatten(1).T.contiguous()

    return initial
