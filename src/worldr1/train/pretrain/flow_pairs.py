"""Pairs of neighbouring frames of general worlds with their true flow and what DIS makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from worldr1.estimators.flow import DISFlow
from worldr1.executor import run_local
from worldr1.geometry.camera import pixel_grid, sample
from worldr1.train.pretrain.few_frames import BARE, DIFFICULTIES, TURN_DEG, ZOOM, refilmed, turned
from worldr1.train.pretrain.world_frames import blocks
from worldr1.worlds.assets.surfaces import untextured
from worldr1.worlds.families import FAMILIES, scene_at
from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.scene import Scene

_CHUNK = 256  # pairs rendered together
_GAPS = (1, 1, 1, 2, 3)  # frames between the two, drawn from these
_PAN_DEG, _SWAY_DEG = (5.0, 1.5, 0.7), (1.5, 0.7, 0.4)  # spread of further turns of the second camera
_STEP = (0.05, 0.03, 0.06)  # spread of its steps aside, up and ahead, of the usual distance
_USUAL_M = {"streets": 6.0}
_LARGEST_PX = 14.0  # median flow of a pair that is kept: beyond it nothing can be followed
_LARGEST_BEND_PX = 3.0
_INVERSION_STEPS = 8

Pairs = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class PairsConfig:
    """How many pairs are rendered; the same values give the same pairs."""

    pairs: int = 12288
    size: int = 64
    seed: int = 77
    measured: int = 640  # of another seed, that the network is measured on


def pair_scene(seed: int, index: int) -> Scene:
    """Pair ``index``: two frames of a clip, half of the time with other cameras, some in plain colours."""
    rng = np.random.default_rng((seed, index))
    family = list(FAMILIES)[index % len(FAMILIES)]
    scene = scene_at(family, seed, index, difficulty=DIFFICULTIES[int(rng.integers(3))])
    gap = int(rng.choice(_GAPS))
    first = int(rng.integers(0, scene.num_frames - gap))
    kept = np.array([first, first + gap])
    c2w, focal_mm = scene.camera.c2w[kept].copy(), scene.camera.focal_mm[kept].copy()
    if rng.random() < 0.5:
        c2w, focal_mm = c2w @ turned(rng, TURN_DEG), focal_mm * math.exp(rng.uniform(-ZOOM, ZOOM))
    kind = rng.random()
    if kind < 0.35:
        c2w[1] = c2w[1] @ turned(rng, _PAN_DEG)
    elif kind < 0.6:
        c2w[1] = c2w[0] @ turned(rng, _SWAY_DEG)
        usual = _USUAL_M.get(family, 2.0)
        step = rng.normal(0, 1, 3) * np.array(_STEP) * usual * rng.uniform(0.3, 2.0)
        c2w[1, :3, 3] = c2w[0, :3, 3] + c2w[0, :3, :3] @ step
    if rng.random() < BARE:
        scene = untextured(scene)
    return refilmed(scene, kept, c2w, focal_mm)


def rendered(seed: int, start: int, stop: int, size: int) -> tuple[Tensor, Tensor]:
    """Pairs as frames ``[n, 2, 3, h, w]`` in [0, 1] and flow ``[n, 2, h, w, 2]`` ahead and back, NaN where unknown."""
    out = WarpRenderer()([pair_scene(seed, i) for i in range(start, stop)], size, size)
    flow = np.stack([out.flow_px[:, 0], out.backward_flow_px[:, 1]], 1)
    return torch.from_numpy(out.rgb).permute(0, 1, 4, 2, 3).float() / 255, torch.from_numpy(flow)


def prepared(frames: Tensor, flow: Tensor, generator: torch.Generator | None) -> Pairs:
    """What can be followed of `rendered`, with flaws if there is a ``generator``: frames uint8 ``[n, 2, 3, h, w]``,
    flow and DIS's float16 ``[n, 2, h, w, 2]``."""
    length = flow.norm(dim=-1).flatten(1).nanmedian(1).values
    kept = (length < _LARGEST_PX) & (flow.isnan().any(-1).float().mean((1, 2, 3)) < 0.5)
    frames, flow = frames[kept], flow[kept]
    if generator is not None:
        frames, flow = bent(frames, flow, generator)
        frames = flawed(frames, generator)
    guess = DISFlow(1, shifted=True).both_ways(frames)[:, :, 0].transpose(0, 1)
    return (frames * 255).round().byte(), flow.clamp(-200, 200).half(), guess.half()


def bent(frames: Tensor, flow: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A third of the pairs with their second frame bent by a smooth shift, as generated worlds are: the network has to
    follow the picture, not what a rigid world would do."""
    n, _, _, h, w = frames.shape
    often = torch.rand(n, 1, 1, 1, generator=generator) < 0.35
    amount = _LARGEST_BEND_PX * torch.rand(n, 1, 1, 1, generator=generator) * often
    cells = int(torch.randint(3, 8, (), generator=generator))
    coarse = amount * torch.randn(n, 2, cells, cells, generator=generator)
    shift = interpolate(coarse, (h, w), mode="bicubic", align_corners=True)
    grid = pixel_grid(h, w, frames)
    source = grid + shift.permute(0, 2, 3, 1)
    landing = grid + flow[:, 0]
    place = landing.clone()
    for _ in range(_INVERSION_STEPS):
        place = landing - sample(shift, place).permute(0, 2, 3, 1)
    cell = source.floor().long()
    x, y = cell[..., 0].clamp(0, w - 1), cell[..., 1].clamp(0, h - 1)
    back = source + flow[:, 1][torch.arange(n)[:, None, None], y, x] - grid
    second = torch.where(often, sample(frames[:, 1], source), frames[:, 1])
    both = torch.stack([torch.where(often, place - grid, flow[:, 0]), torch.where(often, back, flow[:, 1])], 1)
    return torch.stack([frames[:, 0], second], 1), both


def flawed(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Pairs ``[n, 2, 3, h, w]`` with another exposure, blur, blocks and noise, and some with a flicker."""
    n = len(frames)

    def draw(*, often: float, most: float) -> Tensor:
        amount = most * torch.rand(n, 1, 1, 1, 1, generator=generator)
        return amount * (torch.rand(n, 1, 1, 1, 1, generator=generator) < often)

    tint = 1 + 0.15 * torch.randn(n, 1, 3, 1, 1, generator=generator)
    gamma = (draw(often=0.7, most=1.0) - draw(often=0.7, most=1.0)).mul(0.5).exp()
    flicker = draw(often=0.2, most=0.4) - draw(often=0.2, most=0.4)
    gain = torch.cat([torch.ones_like(flicker), flicker.exp()], 1)
    frames = (frames.clamp(1e-3, 1) ** gamma * tint * gain).clamp(0, 1)
    for _ in range(2):
        soft = avg_pool2d(frames.flatten(0, 1), 3, 1, 1, count_include_pad=False).view_as(frames)
        frames = frames.lerp(soft, draw(often=0.3, most=1.0))
    step = draw(often=0.3, most=0.2).expand(-1, 2, -1, -1, -1).reshape(-1, 1, 1, 1)
    frames = blocks(frames.flatten(0, 1), step).view_as(frames)
    frames = frames + draw(often=0.4, most=0.05) * torch.randn(frames.shape, generator=generator)
    return frames.clamp(0, 1)


def _chunk(task: tuple[PairsConfig, int, int]) -> tuple[int, int, Pairs]:
    config, start, stop = task
    generator = torch.Generator().manual_seed(config.seed + start)
    return start, stop, prepared(*rendered(config.seed, start, stop, config.size), generator)


def render_pairs(config: PairsConfig, workers: int = 1, progress: Callable[[int], None] = lambda _: None) -> Pairs:
    """All pairs as `prepared` leaves them, those that move too far left out.

    ``progress`` is told how many more are done; the result does not depend on ``workers`` (processes).
    """
    tasks = [(config, i, min(i + _CHUNK, config.pairs)) for i in range(0, config.pairs, _CHUNK)]
    parts = []
    for start, stop, made in run_local(_chunk, tasks, workers):
        parts.append((start, made))
        progress(stop - start)
    parts.sort(key=lambda p: p[0])
    frames, flow, guess = (torch.cat(x) for x in zip(*(made for _, made in parts), strict=True))
    return frames, flow, guess
