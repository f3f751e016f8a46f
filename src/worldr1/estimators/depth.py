"""Depth from single frames with any `transformers` depth model; the packaged tiny one by default.

Two networks are packaged. `PACKAGED` knows the tiny model's 32-pixel worlds. `WORLD` was trained on frames of all
families of `worlds.families`, of 64 pixels and then of 128, bent, blurred and recompressed; its metres are those of a
camera of the field of view that rewards assume, since a picture hardly tells a longer lens from a nearer camera. With
one scale per clip, the log of its depth is off by .04 (streets) to .09 (landmarks) on unseen clips, that of `PACKAGED`
by .24 to .52; before a wall by .14; its edges are soft (`benchmarks/world_depth.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import AutoModelForDepthEstimation, PreTrainedModel

MAX_DEPTH_M = 20.0  # farther (the sky) counts as this
PACKAGED = Path(__file__).parent.parent / "weights" / "depth"
WORLD = PACKAGED.parent / "world-depth"
WORLD_SIDE = 128  # pixels of the shorter side of what `WORLD` is shown
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
_USUAL_M = 3.0  # median that a clip of relative depth is scaled to
_FARTHEST = 100.0  # of a relative clip's median: inverse depth near 0 says only "far"

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Family:
    """What a kind of network takes and gives."""

    mean: RGB
    std: RGB
    multiple: int  # sides of the input are multiples of this
    answer: Literal["depth", "inverse", "canonical inverse"]
    short_side: int | None = None  # pixels of the published checkpoints' input; None: the frames' own size
    square: bool = False


# by `model.config.model_type`; Depth Anything's relative and metric checkpoints differ in their configuration only
FAMILIES: dict[str, Family] = {
    "depth_anything": Family(*_IMAGENET, 14, "inverse", 518),
    "dpt": Family(*_HALF, 32, "inverse", 384, square=True),
    "zoedepth": Family(*_HALF, 32, "depth", 384),
    "depth_pro": Family(*_HALF, 1, "canonical inverse", 1536, square=True),
}


def family_of(config: Any, *, own_size: bool = False) -> Family:
    """What is known about a model's configuration; raises ``ValueError`` for a kind that is not in `FAMILIES`.

    Sizes follow the configuration, so that small models of the same class work; ``own_size`` keeps that of the frames
    for a network that takes any.
    """
    if config.model_type not in FAMILIES:
        raise ValueError(
            f"no depth from a {config.model_type!r} model; use one of the kinds {', '.join(FAMILIES)}, "
            "or another backend of estimators.registry"
        )
    family = FAMILIES[config.model_type]
    if config.model_type == "depth_anything":
        patch = config.patch_size if isinstance(config.patch_size, int) else config.patch_size[0]
        family = replace(family, multiple=patch, short_side=None if own_size else family.short_side)
        if config.depth_estimation_type == "metric":
            family = replace(family, answer="depth")
    elif config.model_type == "dpt":
        backbone = getattr(config, "backbone_config", None)
        size = getattr(config, "image_size", None) if backbone is None else getattr(backbone, "image_size", None)
        family = replace(family, short_side=size if isinstance(size, int) else family.short_side)
    elif config.model_type == "depth_pro":
        # the scaled copy that covers most patches decides the input's size: a quarter of it is one patch
        side = int(config.patch_size / min(config.scaled_images_ratios))
        family = replace(family, short_side=side)
    return family


class TransformersDepth:
    """Z-depth in metres from frames.

    ``model`` is a hub id, a directory or a loaded model: Depth Anything V1 and V2, DPT and MiDaS, ZoeDepth, Depth Pro.
    A metric model answers in metres. A relative one answers inverse depth up to scale; it is inverted and scaled to a
    median of 3 m over the frames of a call, so that only ratios of its depths mean anything: then ``metric`` is false
    and ``clipwise`` asks for one call per clip. ``short_side`` is that of the network's input; by default the one
    that the published checkpoints use; Depth Anything keeps the frames' own where the model is the packaged one or
    is given loaded. Raises ``OSError`` when the model cannot be loaded, ``ValueError`` when it is of another kind.
    """

    def __init__(self, model: str | Path | PreTrainedModel = PACKAGED, short_side: int | None = None) -> None:
        own_size = isinstance(model, PreTrainedModel) or model == PACKAGED
        if isinstance(model, (str, Path)):
            model = AutoModelForDepthEstimation.from_pretrained(str(model), dtype=torch.float32).eval()
            # a quarter faster on a CPU, and as near to float32 as before
            model = model.to(memory_format=torch.channels_last)
        self.model = model
        self.family = family_of(model.config, own_size=own_size)
        if short_side is not None:
            self.family = replace(self.family, short_side=short_side)
        self.metric = self.family.answer != "inverse"
        self.clipwise = not self.metric

    def input_size(self, height: int, width: int) -> list[int]:
        """Sides (h, w) of the network's input for frames of ``height`` x ``width``."""
        short, multiple = self.family.short_side, self.family.multiple
        if self.family.square and short is not None:
            return [short, short]
        factor = 1.0 if short is None else short / min(height, width)
        return [max(multiple, round(factor * s / multiple) * multiple) for s in (height, width)]

    def normalise(self, frames: Tensor) -> Tensor:
        """Frames ``[n, 3, h, w]`` in [0, 1] to the network's input, resized to whole patches."""
        mean, std = (torch.tensor(v, device=frames.device).view(3, 1, 1) for v in (self.family.mean, self.family.std))
        size = self.input_size(*frames.shape[-2:])
        if size != list(frames.shape[-2:]):
            frames = torch.nn.functional.interpolate(frames, size, mode="bicubic", antialias=True)
        return (frames - mean) / std

    def __call__(self, frames: Tensor, batch: int = 128) -> Tensor:
        """Depth ``[n, h, w]`` in metres, at most `MAX_DEPTH_M`, of frames ``[n, 3, h, w]`` in [0, 1].

        Frames that need gradients get them, in float32; others are measured in bfloat16, which differs a little.
        """
        if torch.is_grad_enabled() and frames.requires_grad:
            return self.with_gradients(frames)
        return self._measured(frames, batch)

    def with_gradients(self, frames: Tensor) -> Tensor:
        """As a call, in float32 and part of a graph where that is wanted."""
        raw = self.answer(self.normalise(frames.to(next(self.model.parameters()).device)))
        raw = torch.nn.functional.interpolate(raw[:, None], frames.shape[-2:], mode="bilinear")[:, 0]
        return self.to_metres(raw.to(frames.device))

    @torch.inference_mode()
    def _measured(self, frames: Tensor, batch: int) -> Tensor:
        device = next(self.model.parameters()).device
        out = []
        for part in frames.split(batch):
            with torch.autocast(device.type, dtype=torch.bfloat16):
                raw = self.answer(self.normalise(part.to(device)))
            out.append(torch.nn.functional.interpolate(raw[:, None], frames.shape[-2:], mode="bilinear")[:, 0])
        return self.to_metres(torch.cat(out).to(frames.device))

    def answer(self, inputs: Tensor) -> Tensor:
        """The network's own quantity ``[n, h, w]``, float32, at its own size."""
        output = self.model(pixel_values=inputs)
        raw: Tensor = output.predicted_depth
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
        if self.family.answer == "canonical inverse" and output.field_of_view is not None:
            # inverse depth of a camera of focal length 1; the network's own field of view makes it this camera's
            half = torch.deg2rad(output.field_of_view.float().view(-1, 1, 1)) / 2
            raw = raw * 2 * torch.tan(half)
        return raw

    def to_metres(self, raw: Tensor) -> Tensor:
        """`answer` ``[n, h, w]`` of one call as depth between .05 and `MAX_DEPTH_M`; differentiable."""
        if self.family.answer == "canonical inverse":
            raw = 1 / raw.clamp(min=1e-4)
        elif self.family.answer == "inverse":
            middle = float(raw.detach().median())
            if not math.isfinite(middle) or middle <= 0:
                raise ValueError("the depth network's inverse depth is not positive; it is not a relative depth model")
            raw = _USUAL_M * middle / raw.clamp(min=middle / _FARTHEST)
        return raw.clamp(0.05, MAX_DEPTH_M)
