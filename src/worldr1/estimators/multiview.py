"""Adapters to networks that look at all frames of a clip together, or that come in packages of their own."""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor

from worldr1.estimators.depth import MAX_DEPTH_M

_USUAL_M = 3.0  # median that a clip without a scale is given


_INSTALL = {
    "vggt": "git+https://github.com/facebookresearch/vggt",
    "depth_anything_3": "git+https://github.com/ByteDance-Seed/Depth-Anything-3",
    "moge": "git+https://github.com/microsoft/MoGe",
}


def package(name: str) -> Any:
    """A module of one of the packages in `_INSTALL`; raises ``ImportError`` that says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        source = _INSTALL[name.partition(".")[0]]
        raise ImportError(f"this backend needs the package {name!r}: pip install {source}") from error


def _device(device: str | None) -> torch.device:
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def _scaled(depth: Tensor) -> Tensor:
    """Depth ``[f, h, w]`` of one clip to a median of 3 m."""
    seen = depth[torch.isfinite(depth) & (depth > 0)]
    if len(seen) == 0:
        raise ValueError("the depth network found no depth in this clip")
    return (depth * (_USUAL_M / seen.median())).nan_to_num(MAX_DEPTH_M).clamp(0.05, MAX_DEPTH_M)


def _to_size(depth: Tensor, height: int, width: int) -> Tensor:
    return torch.nn.functional.interpolate(depth[:, None].float(), (height, width), mode="bilinear")[:, 0]


class VGGTDepth:
    """Depth of a clip from VGGT (Wang et al. 2025), package ``vggt``; up to a scale per clip."""

    metric, clipwise = False, True

    def __init__(self, model: str = "facebook/VGGT-1B", device: str | None = None) -> None:
        models = package("vggt.models.vggt")
        self.device = _device(device)
        self.model = models.VGGT.from_pretrained(model).to(self.device).eval()

    @torch.inference_mode()
    def __call__(self, frames: Tensor) -> Tensor:
        """Depth ``[f, h, w]`` of one clip ``[f, 3, h, w]`` in [0, 1]."""
        depth = self.predict(frames)["depth"][0, ..., 0]
        return _scaled(_to_size(depth, *frames.shape[-2:]).to(frames.device))

    def input_size(self, height: int, width: int) -> list[int]:
        """Sides (h, w) of the network's input for frames of ``height`` x ``width``."""
        factor = 518 / max(height, width)
        return [max(14, round(factor * s / 14) * 14) for s in (height, width)]

    def predict(self, frames: Tensor) -> dict[str, Tensor]:
        """All that the network says of one clip ``[f, 3, h, w]``, with a first axis of 1."""
        size = self.input_size(*frames.shape[-2:])
        resized = torch.nn.functional.interpolate(frames, size, mode="bicubic", antialias=True).clamp(0, 1)
        told: dict[str, Tensor] = self.model(resized[None].to(self.device))
        return told


class DepthAnything3Depth:
    """Depth of a clip from Depth Anything 3, package ``depth_anything_3``; up to a scale per clip."""

    metric, clipwise = False, True

    def __init__(self, model: str = "depth-anything/DA3-LARGE", device: str | None = None) -> None:
        api = package("depth_anything_3.api")
        self.model = api.DepthAnything3.from_pretrained(model).to(_device(device))

    @torch.inference_mode()
    def __call__(self, frames: Tensor) -> Tensor:
        """Depth ``[f, h, w]`` of one clip ``[f, 3, h, w]`` in [0, 1]."""
        depth = torch.as_tensor(self.predict(frames).depth)
        return _scaled(_to_size(depth, *frames.shape[-2:]).to(frames.device))

    def predict(self, frames: Tensor) -> Any:
        """All that the network says of one clip ``[f, 3, h, w]``: the package's ``Prediction``."""
        pictures = (frames.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        return self.model.inference(list(pictures))


class MoGeDepth:
    """Metric depth of single frames from MoGe-2 (Wang et al. 2025), package ``moge``."""

    metric, clipwise = True, False

    def __init__(self, model: str = "Ruicheng/moge-2-vitl", device: str | None = None) -> None:
        models = package("moge.model.v2")
        self.device = _device(device)
        self.model = models.MoGeModel.from_pretrained(model).to(self.device).eval()

    @torch.inference_mode()
    def __call__(self, frames: Tensor, batch: int = 16) -> Tensor:
        """Depth ``[n, h, w]`` in metres of frames ``[n, 3, h, w]`` in [0, 1]; the sky is `MAX_DEPTH_M` away."""
        depth = torch.cat([self.model.infer(part.to(self.device))["depth"] for part in frames.split(batch)])
        return depth.to(frames).nan_to_num(MAX_DEPTH_M, MAX_DEPTH_M, 0.05).clamp(0.05, MAX_DEPTH_M)
