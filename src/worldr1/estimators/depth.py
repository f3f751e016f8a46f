"""Depth from single frames with any `transformers` depth model; the packaged tiny one by default."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForDepthEstimation, PreTrainedModel

MAX_DEPTH_M = 20.0  # farther (the sky) counts as this
PACKAGED = Path(__file__).parent.parent / "weights" / "depth"
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what Depth Anything's backbone was normalised with


class TransformersDepth:
    """Z-depth in metres from frames.

    ``model`` is a hub id, a directory or a loaded model. A metric model (Depth Anything V2 Metric, the packaged
    one) answers in metres. A relative one answers inverse depth up to scale; it is inverted and scaled to a median
    of 3 m per batch, so that only ratios of its depths mean anything. Raises ``OSError`` when the model cannot be
    loaded.
    """

    def __init__(self, model: str | Path | PreTrainedModel = PACKAGED) -> None:
        if isinstance(model, (str, Path)):
            model = AutoModelForDepthEstimation.from_pretrained(str(model), dtype=torch.float32).eval()
        self.model = model
        self.metric = self.model.config.depth_estimation_type == "metric"
        patch = self.model.config.patch_size
        self.patch = patch if isinstance(patch, int) else patch[0]

    def normalise(self, frames: Tensor) -> Tensor:
        """Frames ``[n, 3, h, w]`` in [0, 1] to the network's input, resized to whole patches."""
        mean, std = (torch.tensor(v, device=frames.device).view(3, 1, 1) for v in (_MEAN, _STD))
        size = [max(self.patch, round(s / self.patch) * self.patch) for s in frames.shape[-2:]]
        if size != list(frames.shape[-2:]):
            frames = torch.nn.functional.interpolate(frames, size, mode="bicubic", antialias=True)
        return (frames - mean) / std

    @torch.inference_mode()
    def __call__(self, frames: Tensor, batch: int = 512) -> Tensor:
        """Depth ``[n, h, w]`` in metres, at most `MAX_DEPTH_M`, of frames ``[n, 3, h, w]`` in [0, 1]."""
        device = next(self.model.parameters()).device
        out = []
        for part in frames.split(batch):
            with torch.autocast(device.type, dtype=torch.bfloat16):
                raw = self.model(pixel_values=self.normalise(part.to(device))).predicted_depth.float()
            out.append(torch.nn.functional.interpolate(raw[:, None], frames.shape[-2:], mode="bilinear")[:, 0])
        depth = torch.cat(out).to(frames.device)
        if not self.metric:
            depth = 1 / depth.clamp(min=1e-3)
            depth = depth * (3.0 / depth.median())
        return depth.clamp(0.05, MAX_DEPTH_M)
