"""Frames of general worlds with their depth, and what codecs, exposure and samplers do to frames."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from worldr1.executor import run_local
from worldr1.train.pretrain.few_frames import FramesConfig, few_frames
from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.rendered import FIRST_OBJECT
from worldr1.worlds.scene import Scene
from worldr1.worlds.tiny.families import FOV_DEG

_CHUNK = 128  # clips rendered together
_FAR_M = 1e4  # stands for infinity where arithmetic needs a number


def canonical(depth_m: Tensor, scene: Scene) -> Tensor:
    """Depth ``[frames, h, w]`` that a camera of `FOV_DEG`, which rewards assume of a video, has where it sees the same.

    A picture hardly tells a longer lens from a nearer camera, so one of the two has to be fixed.
    """
    half_width = scene.camera.sensor_mm / 2 / scene.camera.focal_mm / math.tan(math.radians(FOV_DEG) / 2)
    return depth_m * torch.from_numpy(half_width).to(depth_m).view(-1, 1, 1)


def _chunk(task: tuple[FramesConfig, int, int]) -> tuple[int, Tensor, Tensor, Tensor]:
    config, start, stop = task
    scenes = [few_frames(config, i) for i in range(start, stop)]
    out = WarpRenderer()(scenes, config.size, config.size)
    depth = torch.cat([canonical(torch.from_numpy(d), s) for d, s in zip(out.depth_m, scenes, strict=True)])
    things = torch.from_numpy(out.instance_ids >= FIRST_OBJECT).flatten(0, 1)
    return start, torch.from_numpy(out.rgb).flatten(0, 1), depth.half(), things


def render_frames(
    config: FramesConfig, workers: int = 1, progress: Callable[[int], None] = lambda _: None
) -> tuple[Tensor, Tensor, Tensor]:
    """Frames uint8 ``[n, h, w, 3]``, `canonical` depth float16 ``[n, h, w]``, inf for the sky, and where there are
    objects, bool ``[n, h, w]``.

    ``progress`` is told how many more clips are done; the result does not depend on ``workers`` (processes).
    """
    tasks = [(config, i, min(i + _CHUNK, config.clips)) for i in range(0, config.clips, _CHUNK)]
    parts = []
    for part in run_local(_chunk, tasks, workers):
        parts.append(part)
        progress(len(part[1]) // config.frames)
    parts.sort(key=lambda p: p[0])
    return torch.cat([p[1] for p in parts]), torch.cat([p[2] for p in parts]), torch.cat([p[3] for p in parts])


def augment(
    frames: Tensor, depth_m: Tensor, things: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Other frames ``[n, 3, h, w]`` in [0, 1] with their `canonical` depth ``[n, h, w]``, sky included, and ``things``
    bool ``[n, h, w]``.

    Flipped, cropped (a longer lens, so canonical depth shrinks with the crop) and bent as rubber, which generated
    worlds are; then other exposure, blur, blocks and noise. Every flaw spares half of the frames or more.
    """

    def draw(*, often: float, most: float) -> Tensor:
        amount = most * torch.rand(len(frames), 1, 1, 1, generator=generator)
        return amount * (torch.rand(len(frames), 1, 1, 1, generator=generator) < often)

    n, _, h, w = frames.shape
    grid = torch.nn.functional.affine_grid(torch.eye(2, 3).expand(n, 2, 3), [n, 1, h, w], align_corners=False)
    flip = 1 - 2 * (torch.rand(n, 1, 1, 1, generator=generator) < 0.5).float()
    crop = 1 - draw(often=0.5, most=0.4)
    centre = (1 - crop) * (2 * torch.rand(n, 1, 1, 2, generator=generator) - 1)
    bend = torch.nn.functional.interpolate(
        draw(often=0.3, most=0.08) * torch.randn(n, 2, 5, 5, generator=generator), (h, w), mode="bicubic"
    )
    grid = grid * crop * torch.cat([flip, torch.ones_like(flip)], -1) + centre + bend.permute(0, 2, 3, 1)
    truth = torch.stack([depth_m.clamp(max=_FAR_M), things.to(depth_m)], 1)
    # nearest: there is no surface between two surfaces
    truth = torch.nn.functional.grid_sample(truth, grid, "nearest", "border", align_corners=False)
    frames = torch.nn.functional.grid_sample(frames, grid, "bilinear", "border", align_corners=False)
    tint = 1 + 0.15 * torch.randn(n, 3, 1, 1, generator=generator)
    gamma = (draw(often=0.7, most=1.0) - draw(often=0.7, most=1.0)).mul(0.5).exp()
    frames = (frames.clamp(1e-3, 1) ** gamma * tint).clamp(0, 1)
    for _ in range(2):
        soft = torch.nn.functional.avg_pool2d(frames, 3, 1, 1, count_include_pad=False)
        frames = frames.lerp(soft, draw(often=0.4, most=1.0))
    frames = blocks(frames, draw(often=0.4, most=0.25))
    frames = frames + draw(often=0.4, most=0.06) * torch.randn(frames.shape, generator=generator)
    return frames.clamp(0, 1), truth[:, 0] * crop[..., 0], truth[:, 1] > 0


def blocks(frames: Tensor, step: Tensor, side: int = 8) -> Tensor:
    """What coarse quantisation of block-wise cosine transforms leaves of frames ``[n, 3, h, w]``.

    ``step`` ``[n, 1, 1, 1]``: that of the quantiser, for the coarsest frequencies; finer ones get up to four times
    it; 0 changes nothing. Sides have to be multiples of ``side``.
    """
    n, c, h, w = frames.shape
    k = torch.arange(side).float()
    basis = torch.cos(math.pi / side * (k + 0.5) * k[:, None]) * (2 / side) ** 0.5
    basis[0] /= 2**0.5
    tiled = frames.view(n, c, h // side, side, w // side, side)
    spectrum = torch.einsum("ai,bj,ncyixj->ncyaxb", basis, basis, tiled)
    coarse = step.view(n, 1, 1, 1, 1, 1) * (1 + 3 * (k[:, None] + k) / (2 * side - 2)).view(1, 1, 1, side, 1, side)
    kept = torch.where(coarse > 0, (spectrum / coarse.clamp(min=1e-6)).round() * coarse, spectrum)
    return torch.einsum("ai,bj,ncyaxb->ncyixj", basis, basis, kept).reshape(n, c, h, w)
