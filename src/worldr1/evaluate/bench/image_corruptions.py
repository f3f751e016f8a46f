"""Pictures that break: edits of rendered clips that keep the truth of what is shown (`shown.warp`, `shown.reorder`).

Photometric ones leave the geometry as it is. Amounts as in `corruptions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import torch
from torch import Tensor

from worldr1.evaluate.bench.shown import Shown, reorder, warp
from worldr1.geometry.camera import pixel_grid

ClipEdit = Callable[[Shown, np.random.Generator, float], Shown]

_PERIOD_FRAMES = 9


def _draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(rng.normal(size=shape)).float()


def _smooth_field(rng: np.random.Generator, height: int, width: int) -> Tensor:
    """A random field ``[h, w, 2]`` of unit variance that changes over a quarter of the picture."""
    coarse = rng.normal(size=(5, 5, 2)).astype(np.float32)
    return torch.from_numpy(np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)))


def _wobble(shown: Shown, rng: np.random.Generator, reach_px: float, where: Tensor | float = 1.0) -> Shown:
    """Swing along a smooth field, from rest in the first frame."""
    frames, _, height, width = shown.clip.video.shape
    phase = 2 * np.pi * torch.arange(frames) / _PERIOD_FRAMES
    sine, cosine = (_smooth_field(rng, height, width) * reach_px * where for _ in range(2))
    return warp(shown, phase.sin()[:, None, None, None] * sine + (phase.cos() - 1)[:, None, None, None] * cosine)


def global_rubber(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:
    """The whole picture wobbles like jelly, by 1.5 % of its diagonal times the amount."""
    return _wobble(shown, rng, 0.015 * amount * float(np.hypot(*shown.clip.video.shape[-2:])))


def local_rubber(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:
    """A round part of the picture, a third as wide, wobbles; the rest is left alone."""
    height, width = shown.clip.video.shape[-2:]
    centre = torch.tensor([width, height]) * torch.from_numpy(rng.uniform(0.35, 0.65, 2)).float()
    grid = pixel_grid(height, width, shown.clip.video)
    near = torch.exp(-((grid - centre) ** 2).sum(-1, keepdim=True) / (2 * (0.16 * width) ** 2))
    return _wobble(shown, rng, 0.03 * amount * float(np.hypot(height, width)), near)


def ken_burns(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:  # noqa: ARG001
    """A slow zoom into the first frame."""
    frames, _, height, width = shown.clip.video.shape
    grid = pixel_grid(height, width, shown.clip.video) - torch.tensor([width, height]) / 2
    zoom = torch.exp(0.3 * amount * torch.linspace(0, 1, frames))
    return warp(reorder(shown, [0] * frames), (1 / zoom - 1)[:, None, None, None] * grid)


def rolling_shutter(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:
    """Rows are late, one after the other, for a camera that shakes sideways: jelly."""
    frames, _, height, width = shown.clip.video.shape
    late = torch.arange(height) / height
    phase = 2 * np.pi * (0.31 * torch.arange(frames)[:, None] + 0.6 * late) + rng.uniform(0, 2 * np.pi)
    shift = torch.zeros(frames, height, width, 2)
    shift[..., 0] = (0.03 * amount * width * phase.sin())[..., None]
    return warp(shown, shift)


def flicker(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:
    """Every frame's brightness is drawn anew, with a spread of 12 % times the amount."""
    gain = 1 + 0.12 * amount * _draw(rng, (len(shown.clip.video), 1, 1, 1))
    return shown.with_video(shown.clip.video * gain.clamp(min=0.2))


def noise(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:
    """Independent noise with a deviation of .06 times the amount."""
    return shown.with_video(shown.clip.video + 0.06 * amount * _draw(rng, tuple(shown.clip.video.shape)))


def growing_blur(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:  # noqa: ARG001
    """The picture goes out of focus: a Gaussian of up to 2.5 % of the width times the amount."""
    video = shown.clip.video.permute(0, 2, 3, 1).numpy()
    widths = 0.025 * amount * video.shape[2] * np.linspace(0, 1, len(video))
    soft = [f if s < 0.1 else cv2.GaussianBlur(f, (0, 0), float(s)) for f, s in zip(video, widths, strict=True)]
    return shown.with_video(torch.from_numpy(np.stack(soft)).permute(0, 3, 1, 2).contiguous())


def ghost_blend(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:  # noqa: ARG001
    """A frame from half a second ago shines through."""
    video, share = shown.clip.video, min(0.5, 0.3 * amount)
    late = video[(torch.arange(len(video)) - 4).clamp(min=0)]
    return shown.with_video((1 - share) * video + share * late)


IMAGE: Mapping[str, ClipEdit] = {
    "global rubber": global_rubber,
    "local rubber": local_rubber,
    "Ken-Burns zoom": ken_burns,
    "rolling shutter": rolling_shutter,
    "flicker": flicker,
    "noise": noise,
    "growing blur": growing_blur,
    "ghost blend": ghost_blend,
}
