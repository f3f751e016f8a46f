"""The depth network for general worlds: `estimators.depth` loads it under the name "world"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate
from transformers import DepthAnythingForDepthEstimation

from worldr1.estimators.depth import MAX_DEPTH_M, TransformersDepth
from worldr1.train.fit import FitConfig, Progress, fit
from worldr1.train.pretrain.estimators import small_depth_anything
from worldr1.train.pretrain.walls import with_wall
from worldr1.train.pretrain.world_frames import augment, canonical
from worldr1.worlds.families import FAMILIES, scene_at
from worldr1.worlds.filmed import PATHS, film, world
from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.scene import Scene

MEASURED_SEED = 4242  # of worlds that are not trained on
WALLED, FILMED = "walled landmarks", "filmed landmarks"
KINDS = (*FAMILIES, WALLED, FILMED)
_FILMED_FRAMES = 16  # as many as those of families have
_SCALES = (1, 2, 4)  # pixels between which the error's slope is taken
_THINGS = 3.0  # by how much objects, a small part of the picture, weigh more than the ground


def build_world_depth(seed: int = 0) -> DepthAnythingForDepthEstimation:
    """A Depth Anything with the metric head: what the package has room for in half precision.

    It has positions for 64 pixels, which are interpolated for larger pictures.
    """
    model = small_depth_anything(64, 112, [24, 32, 40, 48], 28, seed)
    model.backbone.set_attn_implementation("eager")  # a third faster to train on a CPU than the fused one
    return model


def is_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon trains a parameter: the weights inside of the transformer's blocks."""
    return parameter.ndim == 2 and ".encoder." in name


def depth_loss(predicted: Tensor, truth: Tensor, things: Tensor | None = None) -> Tensor:
    """Error of log depth ``[n, h, w]``: its absolute value, its spread within a frame, and its slope at three scales.

    The spread is the scale-invariant part (Eigen et al. 2014), the slope keeps edges sharp and surfaces flat (MiDaS,
    Ranftl et al. 2020). What is `MAX_DEPTH_M` away or farther weighs a tenth, where ``things`` is 1 four times; a slope
    across an object's edge weighs as its lighter side.
    """
    near = torch.where(truth < MAX_DEPTH_M, 1.0, 0.1)
    worth = torch.ones_like(near) if things is None else 1 + _THINGS * things.to(near)
    weight = near * worth
    error = predicted.clamp(min=0.05).log() - truth.log()
    middle = (weight * error).sum((1, 2), keepdim=True) / weight.sum((1, 2), keepdim=True)
    loss: Tensor = (weight * (error.abs() + (error - middle).abs())).sum() / weight.sum()
    for step in _SCALES:
        for dim in (1, 2):
            there, here = ([x.narrow(dim, k, x.shape[dim] - step) for x in (error, near, worth)] for k in (step, 0))
            pair = there[1] * here[1] * torch.minimum(there[2], here[2])
            loss = loss + 0.25 * ((there[0] - here[0]).abs() * pair).sum() / pair.sum()
    return loss


def train_world_depth(
    model: DepthAnythingForDepthEstimation,
    frames: Tensor,
    depth_m: Tensor,
    things: Tensor,
    config: FitConfig,
    directory: Path,
    progress: Progress,
    clips: int,
    side: int | None = None,
) -> dict[str, float]:
    """Fit to uint8 frames ``[n, h, w, 3]``, `canonical` depth and objects ``[n, h, w]``.

    With ``side``, for the second stage, the network is shown frames of that many pixels: every second batch is halved
    in height and width and enlarged again, so that small clips are seen as well, and objects weigh more. Returns what
    `measure` finds on ``clips`` clips of each kind, nothing with 0.
    """
    estimator = TransformersDepth(model, side)
    device = model.device

    def loss(indices: Tensor, generator: torch.Generator, step: int) -> Tensor:
        shown, truth, what = frames[indices].permute(0, 3, 1, 2).float() / 255, depth_m[indices], things[indices]
        if side is not None and step % 2:
            # of four pixels one's depth: there is no surface between two
            down, right = torch.randint(2, (2,), generator=generator).tolist()
            shown = avg_pool2d(shown, 2)
            truth, what = truth[:, down::2, right::2], what[:, down::2, right::2]
        shown, truth, what = augment(shown, truth.float(), what, generator)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            x = estimator.normalise(shown.to(device)).contiguous(memory_format=torch.channels_last)
            predicted = model(pixel_values=x).predicted_depth.float()
        if predicted.shape != truth.shape:
            predicted = interpolate(predicted[:, None], truth.shape[-2:], mode="bilinear")[:, 0]
        truth = truth.clamp(0.05, MAX_DEPTH_M).to(device)
        return depth_loss(predicted, truth, None if side is None else what.to(device))

    model.to(memory_format=torch.channels_last)  # another third
    fit(model, loss, len(frames), config, directory, is_matrix=is_matrix, progress=progress)
    model.to(memory_format=torch.contiguous_format)
    found = measure(estimator, clips, frames.shape[1]) if clips else {}
    return {f"{family} {name}": value for family, row in found.items() for name, value in row.items()}


def unseen(kind: str, clips: int, seed: int) -> list[Scene]:
    """Scenes of a family, or of `WALLED`, every second one of a held-out combination, or of `FILMED`: `worlds.filmed`,
    along its paths in turn."""
    if kind == FILMED:
        bases = [world(seed, i, _FILMED_FRAMES) for i in range(clips)]
        return [replace(base, camera=film(base, PATHS[i % len(PATHS)])) for i, base in enumerate(bases)]
    family = "landmarks" if kind == WALLED else kind
    scenes = [scene_at(family, seed, i, split="held_out" if i % 2 else "train") for i in range(clips)]
    if kind != WALLED:
        return scenes
    return [with_wall(scene, np.random.default_rng((seed, i))) for i, scene in enumerate(scenes)]


def measure(
    depth: Callable[[Tensor], Tensor], clips: int, size: int, seed: int = MEASURED_SEED
) -> dict[str, dict[str, float]]:
    """How good a depth estimator is on `unseen` clips of each of `KINDS`.

    Mean absolute errors of log `canonical` depth where there is any nearer than `MAX_DEPTH_M`: ``error`` as it is,
    ``aligned`` with one scale per clip, and ``drift``, how far a frame's scale is from its clip's.
    """
    found = {}
    for family in KINDS:
        scenes = unseen(family, clips, seed)
        out = WarpRenderer()(scenes, size, size)
        rows = []
        for i, scene in enumerate(scenes):
            truth = canonical(torch.from_numpy(out.depth_m[i]), scene)
            predicted = depth(torch.from_numpy(out.rgb[i]).permute(0, 3, 1, 2).float() / 255)
            near = truth < MAX_DEPTH_M
            ratio = torch.where(near, predicted.log() - truth.log(), torch.nan)
            scales = ratio.flatten(1).nanmedian(1).values
            scale = ratio.nanmedian()
            errors = (ratio, ratio - scale, scales - scale)
            rows.append([float(e.abs().nanmean()) for e in errors])
        means = torch.tensor(rows).nanmean(0).tolist()
        found[family] = dict(zip(("error", "aligned", "drift"), means, strict=True))
    return found
