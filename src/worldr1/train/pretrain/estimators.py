"""Stage 4: the estimators that rewards use, on rendered truth: depth and tags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

from worldr1.estimators.depth import MAX_DEPTH_M, TransformersDepth
from worldr1.estimators.tagger import Tagger, tag
from worldr1.train.fit import FitConfig, Progress, fit
from worldr1.worlds.tiny.captions import TAGS, tags_of

NUM_TEST = 256


def frames_of(video: Tensor, clips: Tensor, frames: Tensor) -> Tensor:
    """Single frames ``[n, 3, h, w]`` in [0, 1] of uint8 videos ``[clips, frames, h, w, 3]``."""
    return video[clips, frames].permute(0, 3, 1, 2).float() / 255


def small_depth_anything(
    side: int, width: int, neck: list[int], fusion: int, seed: int
) -> DepthAnythingForDepthEstimation:
    """A Depth Anything with the metric head and four blocks of ``width`` for square frames of ``side`` pixels."""
    backbone = Dinov2Config(
        image_size=side,
        patch_size=8,
        hidden_size=width,
        num_hidden_layers=4,
        num_attention_heads=4,
        mlp_ratio=2,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=8,
        reassemble_hidden_size=width,
        neck_hidden_sizes=neck,
        fusion_hidden_size=fusion,
        head_hidden_size=16,
        depth_estimation_type="metric",
        max_depth=int(MAX_DEPTH_M),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DepthAnythingForDepthEstimation(config)


def build_depth(seed: int = 0) -> DepthAnythingForDepthEstimation:
    """The depth network of the tiny worlds, under a million parameters."""
    return small_depth_anything(32, 128, [24, 32, 48, 64], 32, seed)


def log_depth_error(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute log ratio, a tenth of it on the sky, whose depth nothing depends on."""
    weight = torch.where(truth < MAX_DEPTH_M, 1.0, 0.1)
    error: Tensor = (predicted.clamp(min=0.05).log() - truth.log()).abs()
    return (weight * error).sum() / weight.sum()


def train_depth(
    model: DepthAnythingForDepthEstimation,
    video: Tensor,
    depth_m: Tensor,
    config: FitConfig,
    directory: Path,
    progress: Progress,
) -> dict[str, float]:
    """Fit a tiny Depth Anything; returns its mean absolute log error on the last 256 clips."""
    estimator = TransformersDepth(model)
    device, num_frames = model.device, video.shape[1]

    def loss(indices: Tensor, generator: torch.Generator, step: int) -> Tensor:  # noqa: ARG001
        frames = torch.randint(num_frames, indices.shape, generator=generator)
        x = estimator.normalise(frames_of(video, indices, frames).to(device))
        truth = depth_m[indices, frames].float().clamp(max=MAX_DEPTH_M).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            predicted = model(pixel_values=x).predicted_depth.float()
        return log_depth_error(predicted, truth)

    fit(model, loss, len(video) - NUM_TEST, config, directory, progress=progress)
    test = frames_of(video, torch.arange(len(video) - NUM_TEST, len(video)), torch.tensor(num_frames // 2))
    truth = depth_m[-NUM_TEST:, num_frames // 2].float().clamp(max=MAX_DEPTH_M)
    return {"abs_log_error": float(log_depth_error(estimator(test), truth))}


def train_tagger(
    tagger: Tagger,
    video: Tensor,
    facts: Sequence[dict[str, object]],
    config: FitConfig,
    directory: Path,
    progress: Progress,
) -> dict[str, float]:
    """Fit the tagger on single frames of unbroken clips; returns its accuracy over all tags of a clip."""
    device = tagger.head.weight.device
    labels = torch.zeros(len(facts), len(TAGS))
    for row, claims in zip(labels, facts, strict=True):
        row[tags_of(claims)] = 1
    num_frames = video.shape[1]

    def loss(indices: Tensor, generator: torch.Generator, step: int) -> Tensor:  # noqa: ARG001
        frames = torch.randint(num_frames, indices.shape, generator=generator)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            logits = tagger(frames_of(video, indices, frames).to(device)).float()
        return nn.functional.binary_cross_entropy_with_logits(logits, labels[indices].to(device))

    fit(tagger, loss, len(video) - NUM_TEST, config, directory, progress=progress)
    test = (video[-NUM_TEST:].permute(0, 1, 4, 2, 3).float() / 255).to(device)
    right = ((tag(tagger, test).cpu() > 0.5) == (labels[-NUM_TEST:] > 0.5)).float().mean()
    return {"tag_accuracy": float(right)}
