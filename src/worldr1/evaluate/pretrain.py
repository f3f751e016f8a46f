"""Stage 5 of `worldr1 pretrain`: the evaluation's own networks, with seeds and architectures of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from worldr1.evaluate.depth_unet import DepthUNet
from worldr1.evaluate.inspector import CAMERAS, Inspector
from worldr1.train.fit import FitConfig, Progress, fit
from worldr1.train.pretrain.estimators import NUM_TEST, frames_of, log_depth_error
from worldr1.worlds.tiny.captions import TAGS, tags_of


def train_depth_unet(
    net: DepthUNet, video: Tensor, depth_m: Tensor, config: FitConfig, directory: Path, progress: Progress
) -> dict[str, float]:
    """Fit the held-out depth network; returns its mean absolute log error on the last 256 clips."""
    device, num_frames, far = net.head.weight.device, video.shape[1], 20.0

    def loss(indices: Tensor, generator: torch.Generator, step: int) -> Tensor:  # noqa: ARG001
        frames = torch.randint(num_frames, indices.shape, generator=generator)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            predicted = net(frames_of(video, indices, frames).to(device)).float()
        return log_depth_error(predicted, depth_m[indices, frames].float().clamp(max=far).to(device))

    fit(net, loss, len(video) - NUM_TEST, config, directory, progress=progress)
    test = frames_of(video, torch.arange(len(video) - NUM_TEST, len(video)), torch.tensor(num_frames // 2))
    truth = depth_m[-NUM_TEST:, num_frames // 2].float().clamp(max=far)
    return {"abs_log_error": float(log_depth_error(net.predict(test.to(device)).cpu(), truth))}


def train_inspector(
    net: Inspector,
    video: Tensor,
    facts: Sequence[dict[str, object]],
    violations: Sequence[str],
    config: FitConfig,
    directory: Path,
    progress: Progress,
) -> dict[str, float]:
    """Fit the inspector on clean and violated clips; returns its accuracies on the last 256 clips."""
    device = net.camera.weight.device
    broken = torch.tensor([float(bool(v)) for v in violations])
    tags = torch.zeros(len(facts), len(TAGS))
    for row, claims in zip(tags, facts, strict=True):
        row[tags_of(claims)] = 1
    camera = torch.tensor([CAMERAS.index(str(f["camera"])) for f in facts])

    def loss(indices: Tensor, generator: torch.Generator, step: int) -> Tensor:  # noqa: ARG001
        x = (video[indices].permute(0, 1, 4, 2, 3).float() / 255).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            a, b, c = net(x)
        bce = nn.functional.binary_cross_entropy_with_logits
        return (
            bce(a.float(), broken[indices].to(device))
            + 3 * bce(b.float(), tags[indices].to(device))
            + 0.5 * nn.functional.cross_entropy(c.float(), camera[indices].to(device))
        )

    fit(net, loss, len(video) - NUM_TEST, config, directory, progress=progress)
    test = video[-NUM_TEST:].permute(0, 1, 4, 2, 3).float() / 255
    found = net.inspect(test.to(device))
    return {
        "violation_accuracy": float(((found.violation > 0.5) == (broken[-NUM_TEST:] > 0.5)).float().mean()),
        "tag_accuracy": float(((found.tags > 0.5) == (tags[-NUM_TEST:] > 0.5)).float().mean()),
        "camera_accuracy": float((found.camera == camera[-NUM_TEST:]).float().mean()),
    }
