"""The depth network for general worlds: `estimators.depth` loads it under the name "world"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from transformers import DepthAnythingForDepthEstimation

from worldr1.estimators.depth import MAX_DEPTH_M, WORLD_SIDE, TransformersDepth
from worldr1.train.fit import FitConfig, Progress, fit
from worldr1.train.pretrain.estimators import small_depth_anything
from worldr1.train.pretrain.world_frames import augment, canonical
from worldr1.worlds.families import FAMILIES, scene_at
from worldr1.worlds.render import WarpRenderer

MEASURED_SEED = 4242  # of worlds that are not trained on
_SCALES = (1, 2, 4)  # pixels between which the error's slope is taken


def build_world_depth(seed: int = 0) -> DepthAnythingForDepthEstimation:
    """A Depth Anything with the metric head for 64-pixel frames: what the package has room for in half precision."""
    model = small_depth_anything(WORLD_SIDE, 112, [24, 32, 40, 48], 28, seed)
    model.backbone.set_attn_implementation("eager")  # a third faster to train on a CPU than the fused one
    return model


def is_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon trains a parameter: the weights inside of the transformer's blocks."""
    return parameter.ndim == 2 and ".encoder." in name


def depth_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Error of log depth ``[n, h, w]``: its absolute value, its spread within a frame, and its slope at three scales.

    The spread is the scale-invariant part (Eigen et al. 2014), the slope keeps edges sharp and surfaces flat (MiDaS,
    Ranftl et al. 2020). What is `MAX_DEPTH_M` away or farther weighs a tenth.
    """
    weight = torch.where(truth < MAX_DEPTH_M, 1.0, 0.1)
    error = predicted.clamp(min=0.05).log() - truth.log()
    middle = (weight * error).sum((1, 2), keepdim=True) / weight.sum((1, 2), keepdim=True)
    loss: Tensor = (weight * (error.abs() + (error - middle).abs())).sum() / weight.sum()
    for step in _SCALES:
        for dim in (1, 2):
            a, b = (x.narrow(dim, step, x.shape[dim] - step) for x in (error, weight))
            c, d = (x.narrow(dim, 0, x.shape[dim] - step) for x in (error, weight))
            loss = loss + 0.25 * ((a - c).abs() * b * d).sum() / (b * d).sum()
    return loss


def train_world_depth(
    model: DepthAnythingForDepthEstimation,
    frames: Tensor,
    depth_m: Tensor,
    config: FitConfig,
    directory: Path,
    progress: Progress,
    clips: int,
) -> dict[str, float]:
    """Fit to uint8 frames ``[n, h, w, 3]`` and `canonical` depth ``[n, h, w]``.

    Returns what `measure` finds on ``clips`` clips of each family.
    """
    estimator = TransformersDepth(model)
    device = model.device

    def loss(indices: Tensor, generator: torch.Generator, step: int) -> Tensor:  # noqa: ARG001
        shown = frames[indices].permute(0, 3, 1, 2).float() / 255
        shown, truth = augment(shown, depth_m[indices].float(), generator)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            x = estimator.normalise(shown.to(device)).contiguous(memory_format=torch.channels_last)
            predicted = model(pixel_values=x).predicted_depth.float()
        return depth_loss(predicted, truth.clamp(0.05, MAX_DEPTH_M).to(device))

    model.to(memory_format=torch.channels_last)  # another third
    fit(model, loss, len(frames), config, directory, is_matrix=is_matrix, progress=progress)
    model.to(memory_format=torch.contiguous_format)
    found = measure(estimator, clips, frames.shape[1])
    return {f"{family} {name}": value for family, row in found.items() for name, value in row.items()}


def measure(
    depth: Callable[[Tensor], Tensor], clips: int, size: int, seed: int = MEASURED_SEED
) -> dict[str, dict[str, float]]:
    """How good a depth estimator is on unseen clips of each family, half of them of held-out combinations.

    Mean absolute errors of log `canonical` depth where there is any nearer than `MAX_DEPTH_M`: ``error`` as it is,
    ``aligned`` with one scale per clip, and ``drift``, how far a frame's scale is from its clip's.
    """
    found = {}
    for family in FAMILIES:
        scenes = [scene_at(family, seed, i, split="held_out" if i % 2 else "train") for i in range(clips)]
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
